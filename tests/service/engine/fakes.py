"""An engine that fails when told to."""

import asyncio
from collections.abc import Callable
from typing import Literal


class FakeEngine:
    """An engine client that supervision can watch, end and replace.

    Args:
        broken_starts: how many attempts to start another engine fail.
        endless_starts: how many of those after them never end.
    """

    def __init__(self, broken_starts: int = 0, endless_starts: int = 0) -> None:
        self.errored = False
        self.silent = False
        self.how_it_ended: Literal["killed", "crashed"] = "killed"
        self.ended = 0
        self.replaced = 0
        self._broken_starts = broken_starts
        self._endless_starts = endless_starts

    async def is_paused(self) -> bool:
        while self.silent:  # noqa: ASYNC110  tests set an attribute
            await asyncio.sleep(0.01)
        return False

    async def end(self) -> None:
        self.errored = True
        self.ended += 1

    async def replace(self) -> None:
        if self._broken_starts:
            self._broken_starts -= 1
            raise RuntimeError("no memory left")
        if self._endless_starts:
            self._endless_starts -= 1
            await asyncio.Event().wait()
        self.errored = self.silent = False
        self.replaced += 1


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Waits until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  any condition
            await asyncio.sleep(0.01)
