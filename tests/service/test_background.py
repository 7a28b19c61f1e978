"""Rounds that fail are told, and end nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY
from selfjudge_service import background as module
from selfjudge_service.background import Background

from tests.service.conftest import Counter
from tests.service.engine.fakes import until


class Work:
    """Rounds that end as they are told to."""

    def __init__(self) -> None:
        self.rounds = 0
        self.outcome: Exception | bool = True

    async def __call__(self) -> bool:
        self.rounds += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def several_more(self) -> None:
        seen = self.rounds
        await until(lambda: self.rounds >= seen + 3)


@pytest.fixture
async def background(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Background]:
    monkeypatch.setattr(module, "_LONGEST_PAUSE_SECONDS", 0.01)
    background = Background()
    yield background
    background.stop()


def shown() -> float | None:
    return REGISTRY.get_sample_value("selfjudge_background_failing", {"task": "work"})


@pytest.mark.parametrize("outcome", [OSError("stale file handle"), RuntimeError("a bug"), False])
async def test_work_that_fails_is_told_and_goes_on_until_it_is_well_again(
    outcome: Exception | bool, background: Background, counted: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work()
    background.every(0.001, "work", work)
    await work.several_more()
    assert (background.failing, shown(), counted("selfjudge_background_failures_total")) == ([], 0, 0)
    work.outcome = outcome
    await work.several_more()
    assert (background.failing, shown()) == (["work"], 1)
    assert counted("selfjudge_background_failures_total", task="work") >= 2
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == isinstance(outcome, Exception), "once, and by the work itself where that returns"
    work.outcome = True
    await work.several_more()
    assert (background.failing, shown()) == ([], 0)


async def test_nothing_goes_on_after_the_end(background: Background) -> None:
    work = Work()
    background.every(0.001, "work", work)
    await work.several_more()
    background.stop()
    await asyncio.sleep(0)
    seen = work.rounds
    await asyncio.sleep(0.02)
    assert work.rounds == seen


def test_pauses_grow_to_a_limit() -> None:
    assert [module._pause(2.0, failures) for failures in range(8)] == [2, 2, 2, 4, 8, 16, 30, 30]
    assert module._pause(60.0, 3) == 60
