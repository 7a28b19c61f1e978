"""SIGTERM and SIGINT: the server takes nothing more, finishes what is under way, and ends.

A second signal, or the deadline, ends it sooner: what is under way is answered then, but not with what it asked for.
"""

import asyncio
import logging
import signal

from selfjudge_service.engine.status import Status
from selfjudge_service.middleware.availability import UnderWay
from selfjudge_service.protocol.errors import UnavailableError

_LOG = logging.getLogger(__name__)
# For errors to reach clients that still read.
_LAST_WORDS_SECONDS = 5.0
_RETRY_SECONDS = 1


class Signals:
    """What the operator has asked for, from the moment this is made within a running event loop."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._received)

    def _received(self) -> None:
        (self.hurry if self.stop.is_set() else self.stop).set()


async def drain(status: Status, under_way: UnderWay, hurry: asyncio.Event, seconds: float) -> None:
    """Refuses what comes, and returns when nothing is under way any more.

    Args:
        status: refuses from now on.
        under_way: what is to be finished.
        hurry: set when the operator will not wait any longer.
        seconds: the deadline.
    """
    status.drain()
    if under_way:
        _LOG.warning("shutting down: %d requests are finished first, for %g s at most", len(under_way), seconds)
    finished, hurried = asyncio.ensure_future(under_way.finished()), asyncio.ensure_future(hurry.wait())
    await asyncio.wait((finished, hurried), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if under_way:
        _LOG.warning("shutting down: %d requests are given up", len(under_way))
        under_way.give_up(UnavailableError("the server shut down before this was done: try again", _RETRY_SECONDS))
        await asyncio.wait((finished,), timeout=_LAST_WORDS_SECONDS)
    for waiting in (finished, hurried):
        waiting.cancel()
