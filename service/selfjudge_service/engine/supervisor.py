"""Finds out that an engine has died or hangs, and replaces it, with back-off, until it has failed too often in a row.

An engine that lives answers a small question between two of its steps. Seconds without an answer are counted only while
this process itself runs, and not while the machine is suspended or this process starves. An engine that has served for
a minute resets the count of failures. Requests are refused from the moment a failure is found until the next engine is
warm and has the adapters of the one before.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from selfjudge.errors import SelfJudgeError
from selfjudge_service.engine.status import Status
from selfjudge_service.observability import metrics

_LOG = logging.getLogger(__name__)
_TICK_SECONDS = 0.2
_FORGIVEN_AFTER_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 30.0
# A start that takes so many times as long as the first one, behind the watchdog's time, will not come to an end.
_STARTS = 5


class EngineLostError(SelfJudgeError):
    """The engine has failed too often to be started again."""


class Watched(Protocol):
    """The part of vLLM's engine client that watching needs."""

    @property
    def errored(self) -> bool:
        """Whether the engine is dead."""
        ...

    async def is_paused(self) -> bool:
        """A question that only a living engine answers."""
        ...


class Engine(Watched, Protocol):
    """The part of `ReplaceableEngine` that supervision needs."""

    @property
    def how_it_ended(self) -> Literal["killed", "crashed"]:
        """Whether a signal has ended the engine, or it itself."""
        ...

    async def end(self) -> None:
        """Kills it, if it still lives, and fails all calls that wait for it."""
        ...

    async def replace(self) -> None:
        """Starts another."""
        ...


class Supervisor:
    """Supervises one engine.

    Args:
        engine: up.
        status: told when it goes down and comes up.
        restore: makes a fresh engine ready for requests.
        watchdog_seconds: silence after which it is taken to hang.
        max_failures: in a row, at which supervision ends.
        start_seconds: what the first start took: the first Retry-After; a start that takes many times as long has
            failed.
    """

    def __init__(
        self,
        engine: Engine,
        status: Status,
        restore: Callable[[], Awaitable[None]],
        *,
        watchdog_seconds: float,
        max_failures: int,
        start_seconds: float,
    ) -> None:
        self._engine = engine
        self._status = status
        self._restore = restore
        self._watchdog_seconds = watchdog_seconds
        self._max_failures = max_failures
        self._start_seconds = start_seconds
        self._longest_start = watchdog_seconds + _STARTS * start_seconds
        self._failures = 0

    async def run(self) -> None:
        """Supervises until cancelled.

        Raises:
            EngineLostError: if the engine has failed too often in a row, saying how it failed last.
        """
        while True:
            up_since = time.monotonic()
            how = await failure(self._engine, self._watchdog_seconds)
            failed_at = time.monotonic()
            if failed_at - up_since > _FORGIVEN_AFTER_SECONDS:
                self._failures = 0
            self._status.engine_is_down(self._start_seconds)
            await self._end(how)
            while not await self._replaced():
                pass
            self._start_seconds = time.monotonic() - failed_at
            metrics.RESTART_SECONDS.observe(self._start_seconds)
            self._status.engine_is_up()
            _LOG.warning("the engine is up again after %.1f s", self._start_seconds)

    async def _replaced(self) -> bool:
        pause = _pause_seconds(self._failures)
        self._status.engine_is_down(pause + self._start_seconds)
        await asyncio.sleep(pause)
        limit = asyncio.timeout(self._longest_start)
        try:
            async with limit:
                await self._engine.replace()
            return await self._restored()
        except EngineLostError:
            raise
        except Exception as error:  # noqa: BLE001  whatever vLLM meets; the next attempt may do better
            _LOG.exception("the engine could not be started again")
            await self._engine.end()
            told = f"it was not up after {self._longest_start:.0f} s" if limit.expired() else error
            self._count("start", f"it could not be started: {told}")
            return False

    async def _restored(self) -> bool:
        """Makes a fresh engine ready for requests, unless it fails meanwhile: it is watched as one that serves."""
        restoring = asyncio.ensure_future(self._restore())
        watching = asyncio.create_task(failure(self._engine, self._watchdog_seconds))
        try:
            await asyncio.wait((restoring, watching), return_when=asyncio.FIRST_COMPLETED)
            if restoring.done():
                restoring.result()
                return True
            await self._end(watching.result())
            return False
        finally:
            restoring.cancel()
            watching.cancel()
            await asyncio.wait((restoring, watching))

    async def _end(self, how: Literal["died", "hung"]) -> None:
        """Ends an engine that has failed.

        Raises:
            EngineLostError: if that was one failure too many.
        """
        cause: metrics.RestartCause = "hung" if how == "hung" else self._engine.how_it_ended
        await self._engine.end()
        silence = f"no answer for {self._watchdog_seconds:g} s"
        self._count(cause, silence if how == "hung" else "its process ended")

    def _count(self, cause: metrics.RestartCause, words: str) -> None:
        """Notes a failure.

        Raises:
            EngineLostError: if it was one too many.
        """
        self._failures += 1
        metrics.RESTARTS.labels(cause).inc()
        _LOG.error("the engine failed (%s: %s), %d in a row", cause, words, self._failures)
        if self._failures >= self._max_failures:
            raise EngineLostError(
                f"gave up: the engine failed {self._failures} times in a row, which is max_engine_failures; "
                f"the last time it was {cause}: {words}"
            )


def _pause_seconds(failures: int) -> float:
    """The first failure in a row is answered at once, each later one after twice as long."""
    return 0.0 if failures <= 1 else min(2.0 ** (failures - 2), _LONGEST_PAUSE_SECONDS)


async def failure(engine: Watched, watchdog_seconds: float) -> Literal["died", "hung"]:
    """Waits until an engine fails, and says how.

    Args:
        engine: one that is up.
        watchdog_seconds: silence after which it is taken to hang; must be longer than its longest step.
    """
    question, silent = _ask(engine), 0.0
    try:
        while not engine.errored:
            if silent >= watchdog_seconds:
                return "hung"
            if question.done():
                if question.exception():
                    return "died"
                question, silent = _ask(engine), 0.0
            await asyncio.sleep(_TICK_SECONDS)
            silent += _TICK_SECONDS
        return "died"
    finally:
        question.cancel()


def _ask(engine: Watched) -> asyncio.Task[bool]:
    return asyncio.ensure_future(engine.is_paused())
