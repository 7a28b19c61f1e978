"""Finds out that an engine has died, or hangs.

An engine that lives answers a small question between two of its steps. Seconds without an answer are counted only while
this process itself runs: when the machine was suspended, or this process starved, the engine is not to blame.
"""

import asyncio
from typing import Literal, Protocol

_TICK_SECONDS = 0.2


class Watched(Protocol):
    """As much of vLLM's engine client as watching needs."""

    @property
    def errored(self) -> bool:
        """Whether the engine is dead."""
        ...

    async def is_paused(self) -> bool:
        """A question that only a living engine answers."""
        ...


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
