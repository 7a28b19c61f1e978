"""`python -m loadtests.overload`: finds the server's capacity, exceeds it, and writes what came of that."""

import argparse
import asyncio
import shlex
import sys
import tempfile
from itertools import count, takewhile
from pathlib import Path

from tqdm import tqdm

from loadtests.machine import describe, load_average
from loadtests.overload import figures, report
from loadtests.overload.phases import Asker, Workload, closed_loops, crowd, open_loop, until_forgotten
from loadtests.server import running_server
from loadtests.workload import Sampling, draw_jobs
from selfjudge.shipped import SHIPPED_MODEL

_ROOT = Path(__file__).resolve().parents[2]
_SEED = 0
_PROMPTS = 200
_COMPANY = 3
_QUEUES = {"default": [], "`--queue-share 0.25`": ["--queue-share", "0.25"]}


def main() -> None:
    """Measures by the command line's options."""
    args, flags = _parse()
    load = load_average()
    measured = {name: asyncio.run(_measure(args, [str(args.model), *flags, *queue])) for name, queue in _QUEUES.items()}
    about = {
        **describe(args.model),
        "load before": f"{load:.1f}",
        "command": shlex.join(["python", "-m", "loadtests.overload", *sys.argv[1:]]),
        "requests": f"best_of_n {args.best_of_n}, temperature {args.temperature:g}, at most {args.max_tokens} tokens",
    }
    for path in report.write(args.output, about, measured):
        print(f"wrote {path}")
    print(report.markdown(about, measured))


async def _measure(args: argparse.Namespace, flags: list[str]) -> report.Measured:
    workload = Workload(args.best_of_n, Sampling(args.temperature, args.max_tokens), draw_jobs(_PROMPTS))
    with tempfile.TemporaryDirectory() as folder:
        async with running_server(flags, Path(folder, "log")) as connection:
            asker = Asker(connection.session, workload)
            levels = await _levels(asker, await asker.at_once(), args.seconds)
            capacity = levels[-1]
            company = await closed_loops(asker, _COMPANY * capacity.clients, args.seconds)
            offered = args.times * capacity.throughput
            replies = await open_loop(asker, offered, args.seconds, _SEED)
            await until_forgotten(asker, replies)
            visitors = await crowd(asker, offered, args.crowd_seconds / args.times, _SEED)
    return report.Measured(
        levels,
        capacity,
        figures.closed_loop(company),
        figures.overload(replies, offered, args.seconds, capacity),
        figures.crowd(visitors, capacity),
        replies,
        visitors,
    )


async def _levels(asker: Asker, most: int, seconds: float) -> list[figures.ClosedLoop]:
    """Twice as many clients each time, up to as many as run at once."""
    await closed_loops(asker, 4, min(2.0, seconds))
    levels: list[figures.ClosedLoop] = []
    for clients in (*takewhile(lambda clients: clients < most, (2**power for power in count())), most):
        levels.append(figures.closed_loop(await closed_loops(asker, clients, seconds)))
        tqdm.write(f"{clients} clients: {levels[-1].throughput:.1f} requests/s, statuses {levels[-1].statuses}")
    return levels


def _parse() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.overload",
        description="Finds what a server can do, offers it ten times as much, then sends it a crowd that comes back as "
        "told; with a queue and with next to none. About 12 minutes. Options not listed here go to selfjudge-serve.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="folder of the model")
    parser.add_argument("--best-of-n", type=int, default=8, help="candidates", metavar="N")
    parser.add_argument("--times", type=float, default=10.0, help="what is offered, over capacity")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of overload, and of each closed loop")
    parser.add_argument("--crowd-seconds", type=float, default=20.0, help="seconds that the crowd needs at capacity")
    parser.add_argument("--max-tokens", type=int, default=32, help="longest candidate, in tokens")
    parser.add_argument("--temperature", type=float, default=1.0, help="of sampling")
    parser.add_argument(
        "--output", type=Path, default=_ROOT / "docs" / "results", help="folder for the page and its plot"
    )
    return parser.parse_known_args()


if __name__ == "__main__":
    main()
