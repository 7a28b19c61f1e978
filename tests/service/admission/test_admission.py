"""Waiting, giving up and leaving, with a clock that is set by hand where time is only measured."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selfjudge_service.admission.admission import Admission
from selfjudge_service.admission.queue import Limits, Ticket
from selfjudge_service.protocol.errors import DeadlineError, OverloadedError

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


async def test_eight_clients_of_eight_samples_wait_where_three_may_run() -> None:
    admission = Admission(Limits(candidates=24))
    tasks = await entering(admission, *[8] * 8)
    assert [task.done() for task in tasks] == [True] * 3 + [False] * 5
    for task in tasks:
        admission.leave(await task)


async def test_who_would_wait_for_longer_than_the_queues_deadline_is_refused_at_once() -> None:
    clock = Clock()
    admission = Admission(Limits(candidates=8, queue_seconds=12.1), clock)
    running, *waiting = await entering(admission, *[8] * 6)
    for _ in range(3):
        clock.now += 4.0
        admission.leave(running.result())
        await settle()
        running, *waiting = waiting
    # 2 candidates a second: 16 of them wait for 8 s, which is two thirds of the patience.
    assert len(waiting) == 2
    admission.check("")
    await entering(admission, 1)
    with pytest.raises(OverloadedError, match="the server is full"):
        admission.check("")
    with pytest.raises(OverloadedError, match=r"8 candidates run and 3 requests wait, .* about 8 s;"):
        await admission.enter(1)


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
    # 8 candidates in 2 seconds; 8 wait, half of which are to be gone, and each one told is as large.
    told = []
    for _ in range(3):
        with pytest.raises(OverloadedError, match=r"8 candidates run and 1 requests wait, .* about 2 s;") as refused:
            await admission.enter(8)
        told.append(retry_after(refused.value))
    assert told == [3, 5, 7]
    with pytest.raises(OverloadedError) as unread:
        admission.check("")
    assert retry_after(unread.value) == 9
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


_DEEDS = st.tuples(st.sampled_from(["come", "leave", "cancel", "leave and cancel"]), st.integers(1, 12))


@settings(deadline=None, max_examples=60)
@given(st.lists(_DEEDS, max_size=25))
def test_whoever_comes_leaves_or_is_cancelled_when_nobody_is_lost(deeds: list[tuple[str, int]]) -> None:
    asyncio.run(_live_through(deeds))


async def _live_through(deeds: list[tuple[str, int]]) -> None:
    world = _Waiters()
    for deed, number in deeds:
        if deed == "come":
            await world.come(number)
        if deed.startswith("leave"):
            world.leave(number)
        if deed.endswith("cancel"):
            world.cancel(number)
        await settle()
        assert world.admission.requests == len(world.tasks)
        assert sum(task.result().weight for task in world.running) <= 8
        assert not world.tasks or world.running, "nobody waits for nothing"
    while world.tasks:
        world.leave(0)
        await settle()
    assert world.admission.requests == 0


class _Waiters:
    """Requests that run or wait."""

    def __init__(self) -> None:
        self.admission = Admission(Limits(candidates=8, waiting=5))
        self.tasks: list[Entering] = []

    @property
    def running(self) -> list[Entering]:
        return [task for task in self.tasks if task.done()]

    async def come(self, weight: int) -> None:
        (task,) = await entering(self.admission, weight)
        if not task.done() or task.exception() is None:
            self.tasks.append(task)

    def leave(self, number: int) -> None:
        if running := self.running:
            task = running[number % len(running)]
            self.tasks.remove(task)
            self.admission.leave(task.result())

    def cancel(self, number: int) -> None:
        if waiting := [task for task in self.tasks if not task.done()]:
            task = waiting[number % len(waiting)]
            self.tasks.remove(task)
            task.cancel()
