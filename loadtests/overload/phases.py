"""What is sent to a running server when, and what came of each request."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from http import HTTPStatus
from itertools import count, takewhile
from typing import Any, Final, NamedTuple, TypeVar

import aiohttp
from tqdm import tqdm

from loadtests.server import Connection
from loadtests.workload import Job, Sampling, closed_loops

NO_ANSWER: Final = 0
"""The status of requests whose connection failed."""

# Enough to tell a crowd that gets in from one that never does.
_TRIES: Final = 50

# Any other status is shown with the beginning of its body, since a figure alone tells no cause.
_EXPECTED: Final = (HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS)
_SHOWN: Final = 500  # characters

_Came = TypeVar("_Came")


class Reply(NamedTuple):
    """What came of one request. Times are in seconds, `sent` since the phase began."""

    sent: float
    seconds: float
    status: int
    retry_after: float | None = None


class Level(NamedTuple):
    """So many clients in closed loops, for so many seconds."""

    clients: int
    seconds: float
    replies: list[Reply]


class Asker:
    """Sends tournaments, each of another seed, and keeps time."""

    def __init__(self, connection: Connection, best_of_n: int, sampling: Sampling, jobs: Sequence[Job]) -> None:
        self._connection = connection
        self._best_of_n = best_of_n
        self._sampling = sampling
        self._jobs = jobs
        self._asked = count()
        self._began = time.perf_counter()

    def begin(self) -> None:
        """Begins a phase."""
        self._began = time.perf_counter()

    @property
    def now(self) -> float:
        """Seconds since the phase began."""
        return time.perf_counter() - self._began

    async def at_once(self) -> int:
        """Tournaments that the server lets run at once, by the limit of candidates that its metrics tell."""
        return max(1, int(await self._connection.metric("selfjudge_candidates_limit")) // self._best_of_n)

    async def ask(self) -> Reply:
        """One request."""
        number = next(self._asked)
        seed = 1000 * number
        body = {
            "messages": self._jobs[number % len(self._jobs)].messages,
            "best_of_n": self._best_of_n,
            "seed": seed,
            "top_k": 0,
            "self_rejection": {"seed": seed},
            **self._sampling._asdict(),
        }
        sent = self.now
        try:
            async with self._connection.session.post("/v1/chat/completions", json=body) as answer:
                text = await answer.text()
        except aiohttp.ClientError as error:
            tqdm.write(f"no answer: {error!r}")
            return Reply(sent, self.now - sent, NO_ANSWER)
        if answer.status not in _EXPECTED:
            tqdm.write(f"{answer.status}: {text[:_SHOWN]}")
        told = answer.headers.get("Retry-After")
        return Reply(sent, self.now - sent, answer.status, None if told is None else float(told))


async def asking(asker: Asker, clients: int, seconds: float) -> Level:
    """So many clients for so long; their last requests are awaited and count, and so does the time of these."""
    asker.begin()
    turns = takewhile(lambda _: asker.now < seconds, count())
    replies = await closed_loops(clients, turns, lambda _: asker.ask())
    return Level(clients, asker.now, replies)


async def open_loop(asker: Asker, rate: float, seconds: float, seed: int) -> list[Reply]:
    """Poisson arrivals, `rate` a second for so long, and all of their replies."""
    return await _arrivals(asker, rate, seconds, seed, asker.ask)


async def crowd(asker: Asker, rate: float, seconds: float, seed: int) -> list[list[Reply]]:
    """The same, but a request that is refused comes back when it was told to; each one's replies in turn."""

    async def visit() -> list[Reply]:
        replies = [await asker.ask()]
        while replies[-1].retry_after is not None and len(replies) < _TRIES:
            await asyncio.sleep(replies[-1].retry_after)
            replies.append(await asker.ask())
        return replies

    return await _arrivals(asker, rate, seconds, seed, visit)


async def until_forgotten(asker: Asker, replies: Sequence[Reply]) -> None:
    """Waits for the last time that a phase's refused ones were told; until then the server tells others later ones."""
    told = [reply.sent + reply.seconds + reply.retry_after for reply in replies if reply.retry_after is not None]
    await asyncio.sleep(max([0.0, *(at - asker.now for at in told)]))


async def _arrivals(
    asker: Asker, rate: float, seconds: float, seed: int, come: Callable[[], Coroutine[Any, Any, _Came]]
) -> list[_Came]:
    pauses = random.Random(seed)
    tasks: list[asyncio.Task[_Came]] = []
    asker.begin()
    due = pauses.expovariate(rate)
    async with asyncio.TaskGroup() as group:
        while due < seconds or not tasks:
            # Arrivals that are overdue come together, without a pause.
            await asyncio.sleep(max(0.0, due - asker.now))
            tasks.append(group.create_task(come()))
            due += pauses.expovariate(rate)
    return [task.result() for task in tasks]
