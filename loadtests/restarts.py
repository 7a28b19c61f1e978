"""How long nobody is answered when a server's engine is killed, and when it hangs. About 12 minutes.

From the signal to the end of the first successful answer, as one client sees it that asks again and again. Also what
the standby costs, the process that new engines are forked from.
"""

import argparse
import asyncio
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import psutil  # type: ignore[import-untyped]  # stubs are a package of their own
from tqdm import tqdm

from loadtests.report import Results, Spread, table
from loadtests.server import Connection, running_server

_BODY: Final = {"messages": [{"role": "user", "content": "Sort these letters: QDBA"}], "best_of_n": 4}
_HARMS: Final = {"killed": signal.SIGKILL, "hung": signal.SIGSTOP}
_MIB: Final = 2**20
_INTRO: Final = """# Restarts

How long a server gives no answers when its engine is killed (SIGKILL) or hangs (SIGSTOP), measured by `python -m
loadtests restarts`: seconds from the signal to the end of the first successful answer, as one client sees it that asks
again and again. The watchdog's patience is part of the second. Medians, in brackets the least and greatest.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of this experiment."""
    parser.add_argument("--times", type=int, default=5, help="how often the engine is killed, and how often stopped")
    parser.add_argument(
        "--pause", type=float, default=61, help="seconds between failures; after 60 they don't count as in a row"
    )


async def measure(args: argparse.Namespace, flags: Sequence[str]) -> AsyncIterator[Results]:
    """Harms one server's engine again and again."""
    outages: dict[str, list[float]] = {harm: [] for harm in _HARMS}
    async with running_server([str(args.model), *flags]) as connection:
        await connection.post("/v1/chat/completions", _BODY)
        memory = _memory(psutil.Process(connection.process))
        for harm in tqdm([harm for harm in _HARMS for _ in range(args.times)], unit="outage"):
            await asyncio.sleep(args.pause)
            outages[harm].append(await _outage(connection, _HARMS[harm]))
    yield results(outages, memory)


def results(outages: Mapping[str, Sequence[float]], memory: Mapping[str, float]) -> Results:
    """What was found, for people and for programs."""
    held = ", ".join(f"{name} {mib:.0f}" for name, mib in memory.items())
    sections = [
        table(["engine", "times", "seconds"], [(harm, len(one), Spread.of(one)) for harm, one in outages.items()]),
        f"Memory in MiB, where what several processes share is divided among them: {held}.\n",
    ]
    return Results("restarts", _INTRO, {}, sections, {"outage_seconds": outages, "memory_mib": memory})


async def _outage(connection: Connection, harm: signal.Signals) -> float:
    """Seconds from harming the engine to the end of the first successful answer."""
    started = time.perf_counter()
    for engine in _standby(psutil.Process(connection.process)).children():
        engine.send_signal(harm)
    while True:
        try:
            await connection.post("/v1/chat/completions", _BODY)
            return time.perf_counter() - started
        except RuntimeError:
            await asyncio.sleep(0.05)


def _memory(server: psutil.Process) -> dict[str, float]:
    standby = _standby(server)
    families = {"server": [server], "standby": [standby], "engine": standby.children()}
    return {name: sum(one.memory_full_info().pss for one in family) / _MIB for name, family in families.items()}


def _standby(server: psutil.Process) -> psutil.Process:
    (found,) = [one for one in server.children() if "forkserver" in " ".join(one.cmdline())]
    return found
