"""`python -m loadtests.restarts`: kills and stops a running server's engine, and times how long nobody is answered.

From the signal to the end of the first successful answer, as one client sees it that asks again and again. Also what
the standby costs, the process that new engines are forked from.
"""

import argparse
import asyncio
import json
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import psutil  # type: ignore[import-untyped]  # stubs are a package of their own

from loadtests.machine import describe, load_average
from loadtests.server import Connection, running_server
from selfjudge.shipped import SHIPPED_MODEL

_BODY = {"messages": [{"role": "user", "content": "Sort these letters: QDBA"}], "best_of_n": 4}
_HARMS = {"killed": signal.SIGKILL, "hung": signal.SIGSTOP}
_MIB = 2**20


def main() -> None:
    """Measures by the command line's options."""
    args, flags = _parse()
    load = load_average()
    outages, memory = asyncio.run(_measure(args.times, args.pause, [str(args.model), *flags]))
    report: dict[str, Any] = {
        "about": {
            **describe(args.model),
            "load before": f"{load:.1f}",
            "command": shlex.join(["python", "-m", "loadtests.restarts", *sys.argv[1:]]),
        },
        "outage_seconds": {harm: [round(one, 2) for one in seconds] for harm, seconds in outages.items()},
        "median_outage_seconds": {harm: round(median(seconds), 2) for harm, seconds in outages.items()},
        "memory_mib": memory,
    }
    args.output.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


async def _measure(times: int, pause: float, flags: Sequence[str]) -> tuple[dict[str, list[float]], dict[str, int]]:
    outages: dict[str, list[float]] = {harm: [] for harm in _HARMS}
    with tempfile.TemporaryDirectory() as folder:
        async with running_server(flags, Path(folder, "log")) as connection:
            await connection.post("/v1/chat/completions", _BODY)
            memory = _memory(psutil.Process(connection.process))
            for harm in [harm for harm in _HARMS for _ in range(times)]:
                await asyncio.sleep(pause)
                outages[harm].append(await _outage(connection, _HARMS[harm]))
                print(f"{harm}: {outages[harm][-1]:.1f} s", file=sys.stderr)
    return outages, memory


async def _outage(connection: Connection, harm: signal.Signals) -> float:
    """Seconds from harming the engine to the end of the first successful answer."""
    (standby,) = _standbys(psutil.Process(connection.process))
    started = time.perf_counter()
    for engine in standby.children():
        engine.send_signal(harm)
    while True:
        try:
            await connection.post("/v1/chat/completions", _BODY)
            return time.perf_counter() - started
        except RuntimeError:
            await asyncio.sleep(0.05)


def _memory(server: psutil.Process) -> dict[str, int]:
    """Memory of each process in MiB; what several share is divided among them."""
    (standby,) = _standbys(server)
    engines = standby.children()
    families = {"server": [server], "standby": [standby], "engine": engines}
    return {name: round(sum(one.memory_full_info().pss for one in family) / _MIB) for name, family in families.items()}


def _standbys(server: psutil.Process) -> list[psutil.Process]:
    return [one for one in server.children() if "forkserver" in " ".join(one.cmdline())]


def _parse() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.restarts",
        description="Times how long a server answers nobody when its engine is killed, and when it hangs. About 12 "
        "minutes. Options not listed here go to selfjudge-serve.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="folder of the model to serve")
    parser.add_argument("--times", type=int, default=5, help="how often the engine is killed, and how often stopped")
    parser.add_argument(
        "--pause", type=float, default=61, help="seconds between failures; after 60 they don't count as in a row"
    )
    parser.add_argument("--output", type=Path, default=Path("docs/results/restarts.json"), help="file to write")
    return parser.parse_known_args()


if __name__ == "__main__":
    main()
