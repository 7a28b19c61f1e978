"""Finds what a server can do, offers it ten times as much, then sends it a crowd that comes back as told.

All of it with a queue and with next to none. About 12 minutes.
"""

import argparse
from collections.abc import AsyncIterator, Sequence
from itertools import count, takewhile
from typing import Final

from tqdm import tqdm

from loadtests.overload import tally
from loadtests.overload.overload_page import results
from loadtests.overload.phases import Asker, asking, crowd, open_loop, until_forgotten
from loadtests.report import Results
from loadtests.server import running_server
from loadtests.workload import Sampling, draw_jobs

_SEED: Final = 0
_PROMPTS: Final = 200
_COMPANY: Final = 3
_QUEUES: Final[dict[str, list[str]]] = {"default": [], "`--queue-share 0.25`": ["--queue-share", "0.25"]}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of this experiment."""
    parser.add_argument("--best-of-n", type=int, default=8, help="candidates", metavar="N")
    parser.add_argument("--times", type=float, default=10.0, help="what is offered, over capacity")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of overload, and of each closed loop")
    parser.add_argument("--crowd-seconds", type=float, default=20.0, help="seconds that the crowd needs at capacity")
    parser.add_argument("--max-tokens", type=int, default=32, help="longest candidate, in tokens")
    parser.add_argument("--temperature", type=float, default=1.0, help="of sampling")


async def measure(args: argparse.Namespace, flags: Sequence[str]) -> AsyncIterator[Results]:
    """All phases, with each queue."""
    measured = {name: await _measure(args, [str(args.model), *flags, *queue]) for name, queue in _QUEUES.items()}
    requests = f"best_of_n {args.best_of_n}, temperature {args.temperature:g}, at most {args.max_tokens} tokens"
    yield results(requests, measured)


async def _measure(args: argparse.Namespace, flags: Sequence[str]) -> tally.Measured:
    async with running_server(flags) as connection:
        asker = Asker(connection, args.best_of_n, Sampling(args.temperature, args.max_tokens), draw_jobs(_PROMPTS))
        levels = await _levels(asker, await asker.at_once(), args.seconds)
        capacity = levels[-1]
        company = await asking(asker, _COMPANY * capacity.clients, args.seconds)
        offered = args.times * capacity.throughput
        replies = await open_loop(asker, offered, args.seconds, _SEED)
        await until_forgotten(asker, replies)
        visitors = await crowd(asker, offered, args.crowd_seconds / args.times, _SEED)
    return tally.Measured(
        [*levels, tally.closed_loop(company)],
        tally.overload(replies, offered, args.seconds),
        tally.crowd(visitors, capacity),
        replies,
        visitors,
    )


async def _levels(asker: Asker, most: int, seconds: float) -> list[tally.ClosedLoop]:
    """Twice as many clients each time, up to as many as run at once."""
    await asking(asker, 4, min(2.0, seconds))
    levels: list[tally.ClosedLoop] = []
    for clients in (*takewhile(lambda clients: clients < most, (2**power for power in count())), most):
        levels.append(tally.closed_loop(await asking(asker, clients, seconds)))
        tqdm.write(f"{clients} clients: {levels[-1].throughput:.1f} requests/s, statuses {levels[-1].statuses}")
    return levels
