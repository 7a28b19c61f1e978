"""Failures, back-off, and the end of patience."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from selfjudge_service.engine import supervisor
from selfjudge_service.engine.status import Status
from selfjudge_service.engine.supervisor import EngineLostError, Supervisor

from tests.service.conftest import Counter
from tests.service.engine.fakes import FakeEngine, until


async def nothing() -> None:
    pass


@asynccontextmanager
async def supervised(
    engine: FakeEngine, *, max_failures: int = 3, restore: Callable[[], Awaitable[None]] = nothing
) -> AsyncIterator[tuple[Status, asyncio.Task[None]]]:
    status = Status()
    status.engine_is_up()
    supervising = asyncio.create_task(
        Supervisor(engine, status, restore, watchdog_seconds=0.5, max_failures=max_failures, start_seconds=4).run()
    )
    yield status, supervising
    supervising.cancel()


@pytest.mark.parametrize("cause", ["killed", "crashed"])
async def test_a_dead_engine_is_replaced_and_counted(cause: str, counted: Counter) -> None:
    engine = FakeEngine()
    engine.how_it_ended = "killed" if cause == "killed" else "crashed"
    async with supervised(engine) as (status, _):
        engine.errored = True
        await until(lambda: engine.replaced == 1 and status.ready)
    assert engine.ended == 1
    assert counted("selfjudge_engine_restarts_total", cause=cause) == 1
    assert counted("selfjudge_engine_restart_seconds_count") == 1


async def test_an_engine_that_hangs_is_ended_and_replaced(counted: Counter) -> None:
    engine = FakeEngine()
    async with supervised(engine) as (status, _):
        engine.silent = True
        await until(lambda: engine.replaced == 1 and status.ready)
    assert (engine.ended, counted("selfjudge_engine_restarts_total", cause="hung")) == (1, 1)


async def test_requests_are_refused_until_the_engine_is_restored() -> None:
    engine, restored = FakeEngine(), asyncio.Event()

    async def restore() -> None:
        await restored.wait()

    async with supervised(engine, restore=restore) as (status, _):
        engine.errored = True
        await until(lambda: engine.replaced == 1)
        refusal = status.refusal()
        assert refusal is not None
        assert refusal.headers["Retry-After"] == "4"  # what the first start took
        restored.set()
        await until(lambda: status.ready)


async def test_a_start_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch, counted: Counter) -> None:
    monkeypatch.setattr(supervisor, "_pause_seconds", lambda failures: 0.0)
    engine = FakeEngine(broken_starts=1)
    async with supervised(engine) as (status, _):
        engine.errored = True
        await until(lambda: engine.replaced == 1 and status.ready)
    assert counted("selfjudge_engine_restarts_total", cause="start") == 1


async def test_an_engine_that_dies_while_it_is_restored_is_ended_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_pause_seconds", lambda failures: 0.0)
    engine = FakeEngine()

    async def restore() -> None:
        if engine.replaced == 1:
            raise RuntimeError("the engine is dead")

    async with supervised(engine, restore=restore) as (status, _):
        engine.errored = True
        await until(lambda: engine.replaced == 2 and status.ready)
    assert engine.ended == 2


async def test_an_engine_that_hangs_while_it_is_restored_is_ended_and_replaced(
    monkeypatch: pytest.MonkeyPatch, counted: Counter
) -> None:
    monkeypatch.setattr(supervisor, "_pause_seconds", lambda failures: 0.0)
    engine, ended = FakeEngine(), 0

    async def restore() -> None:
        nonlocal ended
        if engine.replaced == 1:
            engine.silent = True
            try:
                await asyncio.Event().wait()  # a read that the engine never answers
            finally:
                ended += 1

    async with supervised(engine, restore=restore) as (status, _):
        engine.errored = True
        await until(lambda: engine.replaced == 2 and status.ready)
    assert (engine.ended, ended) == (2, 1)
    assert counted("selfjudge_engine_restarts_total", cause="hung") == 1


async def test_an_engine_that_hangs_in_its_warm_up_each_time_is_lost() -> None:
    engine = FakeEngine()

    async def restore() -> None:
        engine.silent = True
        await asyncio.Event().wait()

    async with supervised(engine, max_failures=2, restore=restore) as (_, supervising):
        engine.errored = True
        with pytest.raises(EngineLostError, match=r"hung: no answer for 0\.5 s"):
            await supervising


async def test_a_start_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch, counted: Counter) -> None:
    monkeypatch.setattr(supervisor, "_pause_seconds", lambda failures: 0.0)
    monkeypatch.setattr(supervisor, "_STARTS", 0)
    engine = FakeEngine(endless_starts=1)
    async with supervised(engine) as (status, _):
        engine.errored = True
        await until(lambda: engine.replaced == 1 and status.ready)
    assert counted("selfjudge_engine_restarts_total", cause="start") == 1


async def test_after_too_many_failures_in_a_row_it_gives_up_and_says_why() -> None:
    engine = FakeEngine(broken_starts=9)
    async with supervised(engine, max_failures=2) as (status, supervising):
        engine.errored = True
        with pytest.raises(EngineLostError, match=r"failed 2 times in a row.*could not be started: no memory left"):
            await supervising
        assert not status.ready


async def test_time_served_makes_up_for_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_FORGIVEN_AFTER_SECONDS", 0.3)
    engine = FakeEngine()
    async with supervised(engine, max_failures=2) as (status, supervising):
        for count in (1, 2, 3):
            await asyncio.sleep(0.4)
            engine.errored = True
            await until(lambda: engine.replaced == count and status.ready)  # noqa: B023
        assert not supervising.done()


def test_pauses_grow_to_a_limit() -> None:
    pauses = [supervisor._pause_seconds(failures) for failures in range(1, 9)]
    assert pauses == [0, 1, 2, 4, 8, 16, 30, 30]
