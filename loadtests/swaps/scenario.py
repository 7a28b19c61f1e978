"""The scenario: clients ask without swaps, through a hundred swaps in a row, and without again.

Then judgments that answers reported are read again, by the versions that the answers named and, to see that the
difference would show, by another.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from loadtests.server import Connection, running_server
from loadtests.swaps.inventory import Inventory, take_inventory
from loadtests.swaps.load import Answer, Load, Request
from loadtests.swaps.versions import POLICY, Version

ADMIN_KEY = "admin"
_REREAD_VERSIONS = 16
_CANDIDATES = 128
_CACHE_BYTES = 2**28


class Settings(NamedTuple):
    """What is to be measured."""

    model: Path
    swaps: int
    clients: int
    best_of_n: int
    requests: int
    """Of each phase without swaps."""
    rounds: int
    """Of what LoRA costs."""


class Phase(NamedTuple):
    """What clients were told, and what the server held after it."""

    name: str
    answers: list[Answer]
    seconds: float
    swaps: list[float]
    """Seconds that each activation took."""
    held: Inventory


class Reread(NamedTuple):
    """One reported judgment: how far from it the version it is said to be by reads now, and how far another one."""

    own: float
    other: float


class Measured(NamedTuple):
    """All that the scenario shows."""

    phases: list[Phase]
    reread: list[Reread]


def flags(settings: Settings, store: Path | None) -> list[str]:
    """Of a server with a store, or without.

    Clients that find it full wait in its queue, so that none is refused. Memory of a CPU's cache counts from a block's
    first use on: this one is small enough to be in use as a whole before anything is compared.
    """
    limits = ["--max-waiting", str(settings.clients), "--max-candidates", str(_CANDIDATES)]
    cache = ["--kv-cache-memory-bytes", str(_CACHE_BYTES)]
    return [str(settings.model), *limits, *cache, *(() if store is None else ("--adapters-dir", str(store)))]


async def run_scenario(settings: Settings, store: Path, versions: Sequence[Version], log: Path) -> Measured:
    """Runs the scenario on a server of its own."""
    async with running_server(flags(settings, store), log, {"SELFJUDGE_ADMIN_KEYS": ADMIN_KEY}) as connection:
        connection.session.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        for version in versions[:2]:
            await activate(connection, version.name)
        load = Load(connection.session, Request(POLICY, settings.best_of_n), settings.clients)
        await _quiet(connection, load, "warm-up", settings.requests // 2)
        phases = [
            await _quiet(connection, load, "before", settings.requests),
            await _swapping(connection, load, list(islice(cycle(versions), settings.swaps))),
            await _quiet(connection, load, "after", settings.requests),
        ]
        return Measured(phases, await _reread(connection, phases[1].answers, versions))


async def _quiet(connection: Connection, load: Load, name: str, requests: int) -> Phase:
    started = time.perf_counter()
    async with load.running() as answers:
        for number in tqdm(range(requests), desc=name, unit="request"):
            await load.reach(number + 1)
    seconds = time.perf_counter() - started
    return Phase(name, answers, seconds, [], await take_inventory(connection))


async def _swapping(connection: Connection, load: Load, versions: Sequence[Version]) -> Phase:
    started = time.perf_counter()
    async with load.running() as answers:
        swaps = [await activate(connection, version.name) for version in tqdm(versions, desc="swaps", unit="swap")]
    return Phase("swaps", answers, time.perf_counter() - started, swaps, await take_inventory(connection))


async def activate(connection: Connection, version: str) -> float:
    """Makes a version active; the seconds that took."""
    started = time.perf_counter()
    await connection.post(f"/v1/adapters/{POLICY}/activate", {"version": version})
    return time.perf_counter() - started


async def _reread(connection: Connection, answers: Sequence[Answer], versions: Sequence[Version]) -> list[Reread]:
    by_version = defaultdict[str, list[Answer]](list)
    for answer in answers:
        if answer.matches:
            by_version[answer.named].append(answer)
    alphabets = {one.name: one.alphabet for one in versions}
    chosen = list(by_version)[:: max(len(by_version) // _REREAD_VERSIONS, 1)]
    found = []
    for name in tqdm(chosen, desc="judgments read again", unit="version"):
        version = name.partition("@")[2]
        other = next(one.name for one in versions if one.alphabet != alphabets[version])
        await activate(connection, other)
        await activate(connection, version)
        matches = [match for answer in by_version[name][:2] for match in answer.matches]
        comparisons = [
            {"prompt": match.prompt, "response_a": match.first, "response_b": match.second} for match in matches
        ]
        own = await _judge(connection, name, comparisons)
        foreign = await _judge(connection, f"{POLICY}@{other}", comparisons)
        found += [
            Reread(abs(match.probability - by_own), abs(match.probability - by_other))
            for match, by_own, by_other in zip(matches, own, foreign, strict=True)
        ]
    return found


async def _judge(connection: Connection, model: str, comparisons: list[dict[str, str]]) -> list[float]:
    answer = await connection.post("/judge", {"model": model, "comparisons": comparisons})
    return [one["probability_a"] for one in answer["data"]]
