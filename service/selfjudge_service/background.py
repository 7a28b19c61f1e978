"""Background work, in rounds, as long as the server lives: a round that fails ends none of the others.

A failure is logged and counted. The next round comes later each time, up to half a minute, until one goes well; /ready
and a gauge name what is failing meanwhile. A failure makes no replica unready, because requests are still answered, and
a store that is gone is gone for all replicas at once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import Counter, Gauge

FAILURES: Final = Counter(
    "selfjudge_background_failures",
    "Failures of work beside requests, by task (follow, watch: the store of adapters; unload: an adapter that nobody "
    "uses any more; certificates).",
    ["task"],
)
FAILING: Final = Gauge(
    "selfjudge_background_failing",
    "Whether the last round of a task beside requests failed (1) or went well (0).",
    ["task"],
    multiprocess_mode="livemax",
)

_LOG = logging.getLogger(__name__)
_LONGEST_PAUSE_SECONDS = 30.0


class Background:
    """Tasks of one server, and which of them are failing."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failing: set[str] = set()

    @property
    def failing(self) -> list[str]:
        """Names of tasks whose last round failed."""
        return sorted(self._failing)

    def every(self, seconds: float, name: str, work: Callable[[], Awaitable[bool]]) -> None:
        """Does some work again and again from now on, within a running event loop, until the server ends.

        Args:
            seconds: from the end of one round to the next, while all goes well.
            name: tells the work from others in metrics and log.
            work: one round. Returns whether it went well, having logged what did not; what it raises is logged here.
        """
        FAILURES.labels(name)  # so that a first one is seen to be an increase
        self._tasks[name] = asyncio.create_task(self._rounds(seconds, name, work))

    def stop(self) -> None:
        """Ends all of it."""
        for task in self._tasks.values():
            task.cancel()

    async def _rounds(self, seconds: float, name: str, work: Callable[[], Awaitable[bool]]) -> None:
        failures = 0
        while True:
            failures = 0 if await _went_well(name, work, told=failures > 0) else failures + 1
            (self._failing.add if failures else self._failing.discard)(name)
            FAILING.labels(name).set(failures > 0)
            await asyncio.sleep(_pause(seconds, failures))


def failed(name: str) -> None:
    """Logs and counts the exception that is being handled, of work that is not done again."""
    FAILURES.labels(name).inc()
    _LOG.exception("%s failed", name)


async def _went_well(name: str, work: Callable[[], Awaitable[bool]], *, told: bool) -> bool:
    try:
        well = await work()
    except Exception:  # noqa: BLE001  whatever it is, the next round may do better
        _LOG.log(logging.DEBUG if told else logging.ERROR, "%s failed; it is tried again", name, exc_info=True)
        well = False
    if not well:
        FAILURES.labels(name).inc()
    return well


def _pause(seconds: float, failures: int) -> float:
    return max(seconds, min(2.0 ** (failures - 1), _LONGEST_PAUSE_SECONDS)) if failures else seconds
