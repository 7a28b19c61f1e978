"""Waiting, giving up and leaving, with a clock that is set by hand where time is only measured."""

import asyncio
from collections.abc import Sequence

import pytest

from service.admission.admission import Admission
from service.admission.gate import Ticket
from service.admission.limits import Limits
from service.errors import DeadlineError, OverloadedError, UnavailableError
from tests.service.conftest import Counter
from tests.service.fakes import settle


class Clock:
    """Seconds, as told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


Entering = asyncio.Task[Ticket]


async def entering(admission: Admission, *weights: int, caller: str = "") -> Sequence[Entering]:
    """Requests that have come, in this order."""
    tasks = [asyncio.create_task(admission.enter(weight, caller=caller)) for weight in weights]
    await settle()
    return tasks


async def cancel(task: Entering) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def retry_after(error: OverloadedError) -> int:
    return int(error.headers["Retry-After"])


async def test_who_finds_room_runs_at_once_and_who_does_not_waits_its_turn() -> None:
    admission = Admission(Limits(candidates=8, waiting=10))
    first, second, third = await entering(admission, 8, 4, 4)
    assert (first.done(), second.done(), third.done()) == (True, False, False)
    admission.leave(first.result())
    await settle()
    assert (second.done(), third.done()) == (True, True)


async def test_a_waiter_that_is_cancelled_frees_its_place() -> None:
    admission = Admission(Limits(candidates=8, waiting=2))
    first, second, third = await entering(admission, 8, 8, 1)
    with pytest.raises(OverloadedError):
        admission.check("")
    await cancel(second)
    admission.check("")
    admission.leave(first.result())
    await settle()
    assert third.done()


async def test_a_waiter_that_is_cancelled_as_its_turn_comes_leaves_its_room_to_the_next() -> None:
    admission = Admission(Limits(candidates=8, waiting=2))
    first, second, third = await entering(admission, 8, 8, 8)
    admission.leave(first.result())
    await cancel(second)
    await settle()
    assert third.done()
    admission.leave(third.result())
    assert admission.requests == 0


async def test_a_wait_ends_with_the_queues_deadline(counted: Counter) -> None:
    admission = Admission(Limits(candidates=8, queue_seconds=0.01))
    (running,) = await entering(admission, 8)
    with pytest.raises(OverloadedError, match="queue_seconds") as refused:
        await admission.enter(8)
    assert (refused.value.status, retry_after(refused.value)) == (429, 1)
    assert counted("selfjudge_refusals_total", reason="queue_seconds") == 1
    assert admission.requests == 1
    admission.leave(running.result())


async def test_a_wait_ends_with_the_requests_own_deadline() -> None:
    admission = Admission(Limits(candidates=8))
    await entering(admission, 8)
    with pytest.raises(DeadlineError, match=r"0\.01 s that deadline_ms"):
        await admission.enter(8, deadline_seconds=0.01)
    assert admission.requests == 1


async def test_who_may_not_wait_is_told_when_to_come_back(counted: Counter) -> None:
    clock = Clock()
    admission = Admission(Limits(candidates=8, waiting=1), clock)
    running, waiting = await entering(admission, 8, 8)
    for second in range(1, 11):
        clock.now = 2.0 * second
        admission.leave(running.result())
        (coming,) = await entering(admission, 8)
        running, waiting = waiting, coming
    # 8 candidates in 2 seconds; 8 wait ahead, and each one told is as large.
    told = []
    for _ in range(3):
        with pytest.raises(OverloadedError, match="8 candidates run and 1 requests wait") as refused:
            await admission.enter(8)
        told.append(retry_after(refused.value))
    assert told == [4, 6, 8]
    with pytest.raises(OverloadedError) as unread:
        admission.check("")
    assert retry_after(unread.value) == 10
    assert counted("selfjudge_refusals_total", reason="queue_full") == 4


async def test_a_keys_refusal_names_the_limit_and_not_the_key(counted: Counter) -> None:
    admission = Admission(Limits(candidates=100, key_requests=2, key_candidates=10))
    await entering(admission, 4, caller="abc")
    with pytest.raises(OverloadedError, match="key_max_candidates") as candidates:
        await admission.enter(8, caller="abc")
    await entering(admission, 4, caller="abc")
    with pytest.raises(OverloadedError, match="key_max_requests") as requests:
        admission.check("abc")
    assert "abc" not in candidates.value.message + requests.value.message
    assert counted("selfjudge_refusals_total", reason="key_requests") == 1
    assert counted("selfjudge_refusals_total", reason="key_candidates") == 1
    await entering(admission, 8, caller="another")


async def test_idle_waits_for_everybody() -> None:
    admission = Admission(Limits(candidates=8))
    await admission.idle()
    first, second = await entering(admission, 8, 8)
    idle = asyncio.create_task(admission.idle())
    admission.leave(first.result())
    await settle()
    assert not idle.done()
    admission.leave(second.result())
    await idle
    assert admission.requests == 0


async def test_waiters_are_told_what_became_of_the_engine_and_who_runs_is_left_alone() -> None:
    admission = Admission(Limits(candidates=8, waiting=10))
    running, *waiting = await entering(admission, 8, 8, 8)
    admission.refuse_waiting(UnavailableError("the engine is being restarted", 5))
    for task in waiting:
        with pytest.raises(UnavailableError):
            await task
    assert admission.requests == 1
    admission.leave(running.result())
    await admission.idle()


async def test_gauges_show_what_runs_and_waits() -> None:
    from prometheus_client import REGISTRY

    def shown(name: str) -> float | None:
        return REGISTRY.get_sample_value(f"selfjudge_{name}")

    admission = Admission(Limits(candidates=8))
    tournament = await admission.enter(8, tournament=True)
    (waiting,) = await entering(admission, 2)
    names = ("candidates_limit", "candidates_running", "tournaments_running", "queue_length")
    assert [shown(name) for name in names] == [8, 8, 1, 1]
    admission.leave(tournament)
    await settle()
    assert [shown(name) for name in names] == [8, 2, 0, 0]
    admission.leave(waiting.result())
    assert [shown(name) for name in names] == [8, 0, 0, 0]


async def test_time_in_the_queue_is_measured(counted: Counter) -> None:
    clock = Clock()
    admission = Admission(Limits(candidates=8), clock)
    first, second = await entering(admission, 8, 8)
    clock.now = 3.0
    admission.leave(first.result())
    await second
    assert counted("selfjudge_queue_seconds_count") == 2
    assert counted("selfjudge_queue_seconds_sum") == 3.0
