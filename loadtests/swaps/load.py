"""Clients that ask for tournaments all the time, and what each was told: whose answer it is, and what it says."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, NamedTuple

import aiohttp

from loadtests.swaps.versions import LETTERS
from loadtests.workload import Job, draw_jobs

_PROMPTS = 512
_TOKENS = 12


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
    header: str
    """The version, by the answer's header."""
    texts: tuple[str, ...]
    """The chosen candidate first, then all of them."""
    matches: tuple[Match, ...]
    prompt: str = ""


class Request(NamedTuple):
    """What clients ask for."""

    model: str | None
    """None: the base."""
    best_of_n: int

    def body(self, job: Job) -> dict[str, Any]:
        """The JSON of one request."""
        return {
            **({"model": self.model} if self.model else {}),
            "messages": job.messages,
            "best_of_n": self.best_of_n,
            **({"self_rejection": {"include": ["candidates", "bracket"]}} if self.best_of_n > 1 else {}),
            "max_tokens": _TOKENS,
            "ignore_eos": True,
            "temperature": 1,
            "top_k": LETTERS,
        }


class Load:
    """Closed-loop clients over one connection pool; each asks again once it is answered.

    Args:
        session: to the server.
        request: what they ask for.
        clients: how many there are.
    """

    def __init__(self, session: aiohttp.ClientSession, request: Request, clients: int) -> None:
        self._answers: list[Answer] = []
        self._came = asyncio.Event()
        self._session = session
        self._request = request
        self._clients = clients
        self._jobs = draw_jobs(_PROMPTS)
        self._next = count()
        self._ending = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[list[Answer]]:
        """Asks until the block ends; yields the list of this phase's answers, which is whole after the block."""
        self._answers, self._ending = [], False
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(self._client())
            try:
                yield self._answers
            finally:
                self._ending = True

    async def reach(self, answers: int) -> None:
        """Waits until this phase has so many answers."""
        while len(self._answers) < answers:
            self._came.clear()
            await self._came.wait()

    async def _client(self) -> None:
        while not self._ending:
            self._answers.append(await self._ask(self._jobs[next(self._next) % len(self._jobs)]))
            self._came.set()

    async def _ask(self, job: Job) -> Answer:
        started = time.perf_counter()
        try:
            async with self._session.post("/v1/chat/completions", json=self._request.body(job)) as response:
                body = await response.json()
                seconds, status, headers = time.perf_counter() - started, response.status, response.headers
        except (aiohttp.ClientError, ValueError) as error:
            return Answer(started, time.perf_counter() - started, 0, repr(error), "", (), ())
        if not response.ok:
            return Answer(started, seconds, status, str(body), "", (), ())
        named = headers.get("X-Selfjudge-Version", "")
        texts, matches = tuple(_texts(body)), tuple(_matches(job, body))
        return Answer(started, seconds, status, body["model"], named, texts, matches, job.prompt)


def _texts(body: Mapping[str, Any]) -> Iterator[str]:
    yield body["choices"][0]["message"]["content"]
    for candidate in body.get("self_rejection", {}).get("candidates", []):
        yield candidate["message"]["content"]


def _matches(job: Job, body: Mapping[str, Any]) -> Iterator[Match]:
    report = body.get("self_rejection", {"candidates": [], "bracket": []})
    texts = {one["candidate"]: one["message"]["content"] for one in report["candidates"]}
    for record in report["bracket"]:
        first, second = texts.get(record["first"]), texts.get(record["second"])
        if first and second and first != second and record["probability_a"] is not None:
            yield Match(job.prompt, first, second, record["probability_a"])
