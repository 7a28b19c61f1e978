"""Dead and hanging engines are found; slow ones and a slow watcher are not mistaken for them."""

import asyncio
import time

from selfjudge_service.engine.supervisor import failure
from typing_extensions import override

from tests.service.engine.fakes import FakeEngine, until


async def test_a_dead_engine_is_found() -> None:
    engine = FakeEngine()
    watching = asyncio.create_task(failure(engine, 10))
    await asyncio.sleep(0.05)
    engine.errored = True
    assert await watching == "died"


async def test_an_engine_that_is_silent_for_too_long_hangs() -> None:
    engine = FakeEngine()
    engine.silent = True
    started = time.monotonic()
    assert await failure(engine, 0.5) == "hung"
    assert time.monotonic() - started >= 0.5


class LateEngine:
    """Answers each question two looks of the watcher later: time is counted in looks, however late these are."""

    def __init__(self) -> None:
        self.looks = 0
        self._waiting: list[tuple[int, asyncio.Future[bool]]] = []

    @property
    def errored(self) -> bool:
        self.looks += 1
        for due, answer in self._waiting:
            if self.looks >= due and not answer.done():
                answer.set_result(False)
        return False

    async def is_paused(self) -> bool:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((self.looks + 2, answer))
        return await answer


async def test_an_engine_that_answers_late_does_not_hang() -> None:
    engine = LateEngine()
    watching = asyncio.create_task(failure(engine, 1))
    await until(lambda: watching.done() or engine.looks >= 8, 60)
    assert not watching.done()
    watching.cancel()


async def test_time_in_which_this_process_did_not_run_is_not_held_against_the_engine() -> None:
    engine = FakeEngine()
    engine.silent = True
    watching = asyncio.create_task(failure(engine, 1))
    await asyncio.sleep(0.05)
    time.sleep(1.2)  # noqa: ASYNC251  what a suspended machine looks like
    engine.silent = False
    await asyncio.sleep(0.3)
    assert not watching.done()
    watching.cancel()


async def test_an_engine_that_can_not_be_asked_is_dead() -> None:
    class Broken(FakeEngine):
        @override
        async def is_paused(self) -> bool:
            raise OSError("not a socket")

    assert await failure(Broken(), 10) == "died"
