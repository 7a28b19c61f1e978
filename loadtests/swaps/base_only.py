"""What a store costs requests that use the base only: servers side by side, asked in turn.

One server without LoRA, one with it and no adapters, and one with a store and two versions loaded. All run at once and
only one is asked at a time, for seconds each, so that whatever else the machine does hits all of them alike; what a
server computes for a request hardly depends on it at all. Leaves out start-up and requests to policies (costs.py).

`python -m loadtests.swaps.base_only` writes the page `base-only`.
"""

import argparse
import asyncio
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

import psutil  # type: ignore[import-untyped]  # stubs are a package of their own
from tqdm import tqdm

from selfjudge.shipped import SHIPPED_MODEL

if TYPE_CHECKING:
    from loadtests.server import Connection
    from loadtests.swaps.load import Load, Request

_ROOT: Final = Path(__file__).resolve().parents[2]
PLAIN, LORA, STORE = "without LoRA", "with LoRA", "with a store"
KINDS: Final = (PLAIN, LORA, STORE)
# Answers without a tournament are so much cheaper.
_PLAIN_ANSWERS = 8


_TEXT = """# What a store costs requests to the base

Servers run side by side and are asked in turn: processor time for each request, and requests a second. Medians over
rounds, also of the ratios to the server without LoRA in the same round; in brackets the least and greatest. The server
with a store has two versions loaded, which nobody asks for.
"""


class Turn(NamedTuple):
    """What one server did while it was asked."""

    rate: float
    """Requests a second."""
    cpu: float
    """Seconds of processor time for each request."""


class Turns(NamedTuple):
    """Turns round by round, of each kind of server."""

    best_of_n: int
    by_kind: dict[str, list[Turn]]

    def ratios(self, kind: str, figure: str) -> list[float]:
        """Of a kind of server to that without LoRA, in the same round."""
        pairs = zip(self.by_kind[kind], self.by_kind[PLAIN], strict=True)
        return [getattr(one, figure) / getattr(plain, figure) for one, plain in pairs]


def main() -> None:
    """Measures by the command line's options."""
    args = _parse()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from loadtests.machine import describe, load_average  # noqa: PLC0415
    from loadtests.results import write_results  # noqa: PLC0415

    about = {**describe(args.model), "load before": f"{load_average():.1f}"}
    about["command"] = shlex.join(["python", "-m", "loadtests.swaps.base_only", *sys.argv[1:]])
    about["load"] = f"{args.clients} clients, {args.rounds} rounds of {args.requests} requests to each server in turn"
    measured = asyncio.run(_measure(args))
    page = markdown(about, measured)
    write_results(args.output, "base-only", page, {"about": about, "turns": measured})
    print(page)


def markdown(about: Mapping[str, str], measured: Sequence[Turns]) -> str:
    """The report."""
    lines = [
        _TEXT,
        *(f"* {name}: {value}" for name, value in about.items()),
        "\n| best_of_n | server | CPU, ms a request | ratio | requests a second | ratio |\n|---|---|---|---|---|---|",
    ]
    for one in measured:
        for kind, turns in one.by_kind.items():
            cpu, rate = (median(getattr(turn, figure) for turn in turns) for figure in ("cpu", "rate"))
            ratios = [_spread(one.ratios(kind, figure)) if kind != PLAIN else "" for figure in ("cpu", "rate")]
            lines.append(f"| {one.best_of_n} | {kind} | {1000 * cpu:.1f} | {ratios[0]} | {rate:.1f} | {ratios[1]} |")
    return "\n".join(lines) + "\n"


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.3f} ({min(values):.3f}-{max(values):.3f})"


async def _measure(args: argparse.Namespace) -> list[Turns]:
    # These import torch, which is to know the number of its threads before.
    from loadtests.server import running_server  # noqa: PLC0415
    from loadtests.swaps.load import Request  # noqa: PLC0415
    from loadtests.swaps.logs import logs_kept_on_failure  # noqa: PLC0415
    from loadtests.swaps.scenario import ADMIN_KEY, activate  # noqa: PLC0415
    from loadtests.swaps.versions import publish_versions  # noqa: PLC0415
    from selfjudge.adapters.store import Store  # noqa: PLC0415

    with logs_kept_on_failure() as folder:
        store = Store(folder / "store")
        versions = publish_versions(args.model, store, 2)
        flags = {PLAIN: (), LORA: ("--enable-lora",), STORE: ("--adapters-dir", str(store.root))}
        async with AsyncExitStack() as stack:
            servers: dict[str, Connection] = {}
            for kind in KINDS:
                log = folder / f"{kind.replace(' ', '-')}.log"
                server = running_server([str(args.model), *flags[kind]], log, {"SELFJUDGE_ADMIN_KEYS": ADMIN_KEY})
                servers[kind] = await stack.enter_async_context(server)
            servers[STORE].session.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
            for version in versions:
                await activate(servers[STORE], version.name)
            return [await _turns(servers, Request(None, n), args) for n in (1, args.best_of_n)]


async def _turns(servers: "Mapping[str, Connection]", request: "Request", args: argparse.Namespace) -> Turns:
    from loadtests.swaps.load import Load  # noqa: PLC0415

    loads = {kind: Load(one.session, request, args.clients) for kind, one in servers.items()}
    wanted = args.requests * (_PLAIN_ANSWERS if request.best_of_n == 1 else 1)
    turns: dict[str, list[Turn]] = {kind: [] for kind in KINDS}
    for kind in KINDS:
        await _turn(servers[kind], loads[kind], args.clients)
    for number in tqdm(range(args.rounds), desc=f"best_of_n {request.best_of_n}", unit="round"):
        # Who comes first differs: a neighbour's load that begins or ends is nobody's more than another's.
        for place in range(len(KINDS)):
            kind = KINDS[(number + place) % len(KINDS)]
            turns[kind].append(await _turn(servers[kind], loads[kind], wanted))
    return Turns(request.best_of_n, turns)


async def _turn(server: "Connection", load: "Load", wanted: int) -> Turn:
    started, cpu = time.perf_counter(), _cpu_seconds(server.process)
    async with load.running() as answers:
        await load.reach(wanted)
    if failed := [answer.named for answer in answers if answer.status != HTTPStatus.OK]:
        raise RuntimeError(f"{len(failed)} requests failed, the first so: {failed[0]}")
    seconds, cpu = time.perf_counter() - started, _cpu_seconds(server.process) - cpu
    return Turn(len(answers) / seconds, cpu / len(answers))


def _cpu_seconds(process: int) -> float:
    first = psutil.Process(process)
    times = [one.cpu_times() for one in [first, *first.children(recursive=True)]]
    return float(sum(one.user + one.system for one in times))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.swaps.base_only",
        description="Compares servers without LoRA, with it, and with a store of adapters, on requests that use none.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="folder of the model")
    parser.add_argument("--rounds", type=int, default=12, help="turns of each server")
    parser.add_argument("--requests", type=int, default=100, help="tournaments of one turn")
    parser.add_argument("--clients", type=int, default=16, help="clients at once", metavar="K")
    parser.add_argument("--best-of-n", type=int, default=8, help="candidates of a tournament", metavar="N")
    parser.add_argument("--output", type=Path, default=_ROOT / "docs" / "results", help="folder for the page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
