"""Switches a policy's version again and again while clients ask for tournaments.

Checks that no request fails, none mixes versions, latency stays within bounds and memory comes back. Judgments that
answers reported are read again, by the versions that the answers named and, to see that the difference would show, by
another.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tqdm import tqdm

from loadtests.processes import look
from loadtests.report import Results
from loadtests.server import Connection, running_server
from loadtests.swaps.askers import POLICY, Answer, Askers
from loadtests.swaps.checks import Held, Phase, Reread
from loadtests.swaps.swaps_page import results

if TYPE_CHECKING:
    from loadtests.swaps.letters import Version

_REREAD_VERSIONS: Final = 16
_CANDIDATES: Final = 128
# Memory of a CPU's cache counts from a block's first use on: this one is small enough to be in use as a whole before
# anything is compared.
_CACHE_BYTES: Final = 2**28


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of this experiment."""
    parser.add_argument("--swaps", type=int, default=100, help="switches in a row, each to a version of its own")
    parser.add_argument("--clients", type=int, default=32, help="clients at once", metavar="K")
    parser.add_argument("--best-of-n", type=int, default=8, help="candidates of each request", metavar="N")
    parser.add_argument("--requests", type=int, default=1000, help="requests of each phase without swaps")


async def measure(args: argparse.Namespace, flags: Sequence[str]) -> AsyncIterator[Results]:
    """All phases, on a server of its own."""
    # Adapters are made by a model of a few MB, beside which threads only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from loadtests.swaps.letters import publish_versions  # noqa: PLC0415  torch reads that when it is imported

    with tempfile.TemporaryDirectory() as store:
        versions = publish_versions(args.model.resolve(), Path(store), args.swaps)
        # Clients that find the server full wait in its queue, so that none is refused.
        limits = ["--max-waiting", str(args.clients), "--max-candidates", str(_CANDIDATES)]
        options = [*limits, "--kv-cache-memory-bytes", str(_CACHE_BYTES), "--adapters-dir", store]
        async with running_server([str(args.model), *options, *flags]) as connection:
            phases = await _phases(connection, args, versions)
            reread = await _reread(connection, phases[1].answers, versions)
    load = f"{args.clients} clients, best_of_n {args.best_of_n}"
    alphabets = {f"{POLICY}@{one.name}": one.alphabet for one in versions}
    yield results(load, phases, reread, alphabets)


async def _phases(connection: Connection, args: argparse.Namespace, versions: "Sequence[Version]") -> list[Phase]:
    for version in versions[:2]:
        await connection.activate(POLICY, version.name)
    askers = Askers(connection.session, POLICY, args.best_of_n, args.clients)
    await _quiet(connection, askers, "warm-up", args.requests // 2)
    return [
        await _quiet(connection, askers, "before", args.requests),
        await _switching(connection, askers, list(islice(cycle(versions), args.swaps))),
        await _quiet(connection, askers, "after", args.requests),
    ]


async def _quiet(connection: Connection, askers: Askers, name: str, requests: int) -> Phase:
    started = time.perf_counter()
    async with askers.running() as answers:
        for number in tqdm(range(requests), desc=name, unit="request"):
            await askers.reach(number + 1)
    return Phase(name, answers, time.perf_counter() - started, [], await _held(connection))


async def _switching(connection: Connection, askers: Askers, versions: "Sequence[Version]") -> Phase:
    started = time.perf_counter()
    async with askers.running() as answers:
        swaps = [
            await connection.activate(POLICY, version.name) for version in tqdm(versions, desc="swaps", unit="swap")
        ]
    return Phase("swaps", answers, time.perf_counter() - started, swaps, await _held(connection))


async def _held(connection: Connection) -> Held:
    """What the server holds, a second after its last answer: the engine frees things in its next step."""
    await asyncio.sleep(1)
    versions = [one for policy in (await connection.get("/v1/adapters"))["data"] for one in policy["versions"]]
    told = await connection.post("/collective_rpc", {"method": "list_loras"})
    return Held(
        look(connection.process).memory_mib,
        len(told["results"][0]),
        sum(one["state"] not in ("stored", "refused") for one in versions),
        sum(one["in_flight"] for one in versions),
        await connection.metric("vllm:kv_cache_usage_perc"),
    )


async def _reread(connection: Connection, answers: Sequence[Answer], versions: "Sequence[Version]") -> list[Reread]:
    by_version = defaultdict[str, list[Answer]](list)
    for answer in answers:
        if answer.matches:
            by_version[answer.named].append(answer)
    alphabets = {one.name: one.alphabet for one in versions}
    found = []
    for named in tqdm(list(by_version)[:: max(len(by_version) // _REREAD_VERSIONS, 1)], desc="judgments read again"):
        version = named.partition("@")[2]
        other = next(one.name for one in versions if one.alphabet != alphabets[version])
        await connection.activate(POLICY, other)
        await connection.activate(POLICY, version)
        matches = [match for answer in by_version[named][:2] for match in answer.matches]
        comparisons = [
            {"prompt": match.prompt, "response_a": match.first, "response_b": match.second} for match in matches
        ]
        own = await _judge(connection, named, comparisons)
        foreign = await _judge(connection, f"{POLICY}@{other}", comparisons)
        found += [
            Reread(abs(match.probability - by_own), abs(match.probability - by_other))
            for match, by_own, by_other in zip(matches, own, foreign, strict=True)
        ]
    return found


async def _judge(connection: Connection, model: str, comparisons: list[dict[str, str]]) -> list[float]:
    answer = await connection.post("/judge", {"model": model, "comparisons": comparisons})
    return [one["probability_a"] for one in answer["data"]]
