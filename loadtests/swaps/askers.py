"""Clients that ask for tournaments all the time, and what each was told: whose answer it is, and what it says."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import cycle, takewhile
from typing import Any, Final, NamedTuple

import aiohttp

from loadtests.workload import Job, closed_loops, draw_jobs

POLICY: Final = "letters"
LETTERS: Final = 4
"""Characters of a version's alphabet; sampling with this `top_k` leaves no others."""

_PROMPTS: Final = 512
_TOKENS: Final = 12


class Match(NamedTuple):
    """A judgment that an answer reports: the two texts, and P(the first is better) over both orders."""

    prompt: str
    first: str
    second: str
    probability: float


class Answer(NamedTuple):
    """What became of one request."""

    started: float
    """Seconds, of the same clock as all others'."""
    seconds: float
    status: int
    """0 where there was no answer at all."""
    named: str
    """The version, by the answer's `model`; what went wrong where it failed."""
    header: str = ""
    """The version, by the answer's header."""
    texts: tuple[str, ...] = ()
    """The chosen candidate first, then all of them."""
    matches: tuple[Match, ...] = ()


class Askers:
    """Closed-loop clients over one connection pool; each asks again once it is answered."""

    def __init__(self, session: aiohttp.ClientSession, model: str, best_of_n: int, clients: int) -> None:
        self._answers: list[Answer] = []
        self._came = asyncio.Event()
        self._session = session
        self._model = model
        self._best_of_n = best_of_n
        self._clients = clients
        self._jobs = cycle(draw_jobs(_PROMPTS))
        self._ending = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[list[Answer]]:
        """Asks until the block ends; yields the list of this phase's answers, which is whole after the block."""
        self._answers, self._ending = [], False
        jobs = takewhile(lambda _: not self._ending, self._jobs)
        async with asyncio.TaskGroup() as group:
            group.create_task(closed_loops(self._clients, jobs, self._ask))
            try:
                yield self._answers
            finally:
                self._ending = True

    async def reach(self, answers: int) -> None:
        """Waits until this phase has so many answers."""
        while len(self._answers) < answers:
            self._came.clear()
            await self._came.wait()

    async def _ask(self, job: Job) -> None:
        started = time.perf_counter()
        try:
            async with self._session.post("/v1/chat/completions", json=self._body(job)) as response:
                body = await response.json()
        except (aiohttp.ClientError, ValueError) as error:
            answer = Answer(started, time.perf_counter() - started, 0, repr(error))
        else:
            answer = _answer(started, job, response, body)
        self._answers.append(answer)
        self._came.set()

    def _body(self, job: Job) -> dict[str, Any]:
        return {
            "model": self._model,
            "messages": job.messages,
            "best_of_n": self._best_of_n,
            "self_rejection": {"include": ["candidates", "bracket"]},
            "max_tokens": _TOKENS,
            "ignore_eos": True,
            "temperature": 1,
            "top_k": LETTERS,
        }


def _answer(started: float, job: Job, response: aiohttp.ClientResponse, body: Mapping[str, Any]) -> Answer:
    seconds = time.perf_counter() - started
    if not response.ok:
        return Answer(started, seconds, response.status, str(body))
    report = body["self_rejection"]
    texts = {one["candidate"]: one["message"]["content"] for one in report["candidates"]}
    return Answer(
        started,
        seconds,
        response.status,
        body["model"],
        response.headers.get("X-Selfjudge-Version", ""),
        (body["choices"][0]["message"]["content"], *texts.values()),
        tuple(_matches(job, report["bracket"], texts)),
    )


def _matches(job: Job, bracket: list[dict[str, Any]], texts: Mapping[int, str]) -> Iterator[Match]:
    for record in bracket:
        first, second = texts.get(record["first"]), texts.get(record["second"])
        if first and second and first != second and record["probability_a"] is not None:
            yield Match(job.prompt, first, second, record["probability_a"])
