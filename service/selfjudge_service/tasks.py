"""Concurrent work that ends together: when one part fails the others are cancelled, and it alone is raised."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

_Result = TypeVar("_Result")


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """An `asyncio.TaskGroup` that raises the first failure itself, so that HTTP handlers can tell what it is."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        first: BaseException = failures
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from failures


async def run_together(work: Iterable[Coroutine[Any, Any, _Result]]) -> list[_Result]:
    """Results in order, once all are there."""
    async with task_group() as group:
        tasks = [group.create_task(part) for part in work]
    return [task.result() for task in tasks]


async def cancellable(work: Awaitable[_Result]) -> _Result:
    """The result of work that may swallow a cancellation, as vLLM's handlers do; this raises it."""
    try:
        return await work
    finally:
        task = asyncio.current_task()
        if task and task.cancelling():
            raise asyncio.CancelledError
