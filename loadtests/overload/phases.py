"""The three phases, on a running server: what is sent when, and what came of each request."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from tqdm import tqdm

from loadtests.workload import Job, Sampling

# Enough to tell a crowd that gets in from one that never does.
_TRIES = 50

# Any other status is shown with the beginning of its body, since a figure alone tells no cause.
_EXPECTED = (HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS)
_SHOWN = 500  # characters

# The status of requests whose connection failed.
NO_ANSWER = 0

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


class Workload(NamedTuple):
    """What every request asks for."""

    best_of_n: int
    sampling: Sampling
    jobs: Sequence[Job]


class Asker:
    """Sends tournaments, each of another seed, and keeps time.

    Args:
        session: to the server.
        workload: what to ask for.
    """

    def __init__(self, session: aiohttp.ClientSession, workload: Workload) -> None:
        self._session = session
        self._workload = workload
        self._asked = 0
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
        async with self._session.get("/metrics") as answer:
            told = await answer.text()
        samples = (sample for metric in text_string_to_metric_families(told) for sample in metric.samples)
        limit = next(int(sample.value) for sample in samples if sample.name == "selfjudge_candidates_limit")
        return max(1, limit // self._workload.best_of_n)

    async def ask(self) -> Reply:
        """One request."""
        job, seed = self._workload.jobs[self._asked % len(self._workload.jobs)], 1000 * self._asked
        self._asked += 1
        body = {
            "messages": job.messages,
            "best_of_n": self._workload.best_of_n,
            "seed": seed,
            "top_k": 0,
            "self_rejection": {"seed": seed},
            **self._workload.sampling._asdict(),
        }
        sent = self.now
        try:
            async with self._session.post("/v1/chat/completions", json=body) as answer:
                text = await answer.text()
        except aiohttp.ClientError as error:
            tqdm.write(f"no answer: {error!r}")
            return Reply(sent, self.now - sent, NO_ANSWER)
        if answer.status not in _EXPECTED:
            tqdm.write(f"{answer.status}: {text[:_SHOWN]}")
        told = answer.headers.get("Retry-After")
        return Reply(sent, self.now - sent, answer.status, None if told is None else float(told))


async def closed_loops(asker: Asker, clients: int, seconds: float) -> Level:
    """So many clients for so long; their last requests are awaited and count, and so does the time of these."""
    replies: list[Reply] = []

    async def client() -> None:
        while asker.now < seconds:
            replies.append(await asker.ask())

    asker.begin()
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return Level(clients, asker.now, replies)


async def open_loop(asker: Asker, rate: float, seconds: float, seed: int) -> list[Reply]:
    """Poisson arrivals, `rate` a second for so long, and all of their replies."""
    return await _arrivals(asker, rate, seconds, seed, asker.ask)


async def crowd(asker: Asker, rate: float, seconds: float, seed: int) -> list[list[Reply]]:
    """The same, but whoever is refused comes back when it was told to; each one's replies in turn."""

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
    with tqdm(desc="answered", unit="") as bar:
        async with asyncio.TaskGroup() as group:
            while due < seconds or not tasks:
                # Behind time nobody sleeps: those that are due come together.
                await asyncio.sleep(max(0.0, due - asker.now))
                tasks.append(group.create_task(come()))
                tasks[-1].add_done_callback(lambda _: bar.update())
                due += pauses.expovariate(rate)
    return [task.result() for task in tasks]
