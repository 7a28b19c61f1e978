"""Concurrent work that ends together."""

import asyncio
from contextlib import suppress

import pytest
from selfjudge_service.tasks import cancellable, run_together, task_group


async def later(value: int, turns: int) -> int:
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


async def fail(error: Exception) -> int:
    raise error


async def test_results_are_in_the_order_asked_for() -> None:
    assert await run_together([later(1, 5), later(2, 1), later(3, 3)]) == [1, 2, 3]


async def test_nothing_gives_nothing() -> None:
    assert await run_together([]) == []


async def test_a_failure_comes_out_alone_and_cancels_the_rest() -> None:
    ended = asyncio.Event()

    async def wait_for_ever() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 0

    with pytest.raises(KeyError, match="the one"):
        await run_together([wait_for_ever(), fail(KeyError("the one"))])
    assert ended.is_set()


async def test_of_two_failures_the_first_comes_out() -> None:
    with pytest.raises(KeyError) as caught:
        await run_together([fail(KeyError("first")), fail(ValueError("second"))])
    assert isinstance(caught.value.__cause__, ExceptionGroup)


async def test_nested_groups_unwrap_to_the_failure() -> None:
    with pytest.raises(KeyError):
        async with task_group() as outer:
            outer.create_task(run_together([fail(KeyError("deep"))]))


async def test_cancelling_the_caller_cancels_the_work() -> None:
    ended = asyncio.Event()

    async def wait_for_ever() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 0

    caller = asyncio.create_task(run_together([wait_for_ever()]))
    await later(0, 3)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()


async def test_a_cancellation_that_is_swallowed_comes_out_all_the_same() -> None:
    started = asyncio.Event()

    async def swallow() -> str:
        started.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "Client disconnected"

    caller = asyncio.create_task(cancellable(swallow()))
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_what_is_not_cancelled_ends_as_it_does() -> None:
    assert await cancellable(later(1, 2)) == 1
    with pytest.raises(KeyError):
        await cancellable(fail(KeyError("a failure")))
