"""Replaces an engine that has failed, with back-off, until it has failed too often in a row.

An engine that has served for a minute has made up for the failures before it. Requests are refused from the moment a
failure is found until the next engine is warm and has the adapters of the one before.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from selfjudge.errors import SelfJudgeError
from service.supervision import metrics
from service.supervision.status import Status
from service.supervision.watch import Watched, failure

_LOG = logging.getLogger(__name__)
_FORGIVEN_AFTER_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 30.0


class EngineLostError(SelfJudgeError):
    """The engine has failed too often to be started again."""


class Engine(Watched, Protocol):
    """What supervision needs of an engine client; see `ReplaceableEngine`."""

    @property
    def how_it_ended(self) -> Literal["killed", "crashed"]:
        """Whether a signal has ended the engine, or it itself."""
        ...

    async def end(self) -> None:
        """Kills it, if it still lives, and ends everybody's wait for it."""
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
        start_seconds: what the first start took; the first callers are told to come back after that long.
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
            cause = "hung" if how == "hung" else self._engine.how_it_ended
            await self._engine.end()
            silence = f"no answer for {self._watchdog_seconds:g} s"
            self._count(cause, silence if how == "hung" else "its process ended")
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
        try:
            await self._engine.replace()
            await self._restore()
        except Exception as error:  # noqa: BLE001  whatever vLLM meets; the next attempt may do better
            _LOG.exception("the engine could not be started again")
            await self._engine.end()
            self._count("start", f"it could not be started: {error}")
            return False
        return True

    def _count(self, cause: str, words: str) -> None:
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
