"""The rules of admission, by examples and over random histories."""

from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from selfjudge_service.admission.queue import Limits, Load, Queue, Ticket


def join_all(queue: Queue, *weights: int, tournament: bool = False, caller: str = "") -> list[Ticket]:
    tickets = [Ticket(weight, tournament, caller) for weight in weights]
    assert [queue.join(ticket) for ticket in tickets] == [None] * len(weights)
    return tickets


def test_what_fits_runs_and_the_rest_waits() -> None:
    queue = Queue(Limits(candidates=10))
    first, second, third = join_all(queue, 6, 4, 1)
    assert queue.runs(first)
    assert queue.runs(second)
    assert not queue.runs(third)
    assert (queue.running, queue.waiting) == (Load(2, 10), Load(1, 1))


def test_a_large_tournament_is_not_overtaken_by_small_requests() -> None:
    queue = Queue(Limits(candidates=10, waiting=10))
    small, large, behind = join_all(queue, 4, 8, 1)
    assert not queue.runs(behind)
    assert queue.leave(small) == [large, behind]


def test_what_weighs_more_than_everything_runs_alone() -> None:
    queue = Queue(Limits(candidates=10, waiting=10))
    small, huge, behind = join_all(queue, 1, 64, 1)
    assert queue.leave(small) == [huge]
    assert queue.leave(huge) == [behind]


def test_tournaments_have_a_limit_of_their_own_and_plain_answers_wait_behind_them() -> None:
    queue = Queue(Limits(candidates=100, tournaments=1, waiting=10))
    (running,) = join_all(queue, 8, tournament=True)
    (plain,) = join_all(queue, 1)
    assert queue.runs(plain)
    (second,) = join_all(queue, 8, tournament=True)
    (behind,) = join_all(queue, 1)
    assert (queue.runs(second), queue.runs(behind)) == (False, False)
    assert queue.leave(running) == [second, behind]


def test_a_share_of_what_may_run_may_wait_whatever_the_newcomers_weight() -> None:
    queue = Queue(Limits(candidates=16, queue_share=0.25))
    join_all(queue, 16, 3, 16)
    for weight in (1, 8):
        assert queue.join(Ticket(weight)) == "queue_full"
    assert queue.refusal("anybody") == "queue_full"


def test_others_may_join_while_the_wait_is_expected_to_be_short_enough() -> None:
    queue = Queue(Limits(candidates=16, queue_seconds=10))
    join_all(queue, 16, 16, 1)
    for weight in (1, 8):
        assert queue.join(Ticket(weight), rate=2.0) == "queue_full"
    assert queue.refusal("anybody", rate=2.0) == "queue_full"
    assert queue.refusal("anybody", rate=4.0) is None
    assert queue.join(Ticket(64)) is None, "where nobody knows how long it will be, people wait"


def test_eight_callers_of_eight_candidates_wait_on_a_slow_processor() -> None:
    """24 candidates took half a minute, and a queue of 30 seconds refused the fifth caller."""
    queue = Queue(Limits(candidates=26, queue_seconds=300))
    join_all(queue, *[8] * 3)
    for _ in range(5):
        assert queue.join(Ticket(8), rate=0.8) is None
    assert queue.waiting == Load(5, 40)


def test_one_may_wait_however_long_it_takes() -> None:
    queue = Queue(Limits(candidates=16))
    join_all(queue, 16)
    assert queue.join(Ticket(16), rate=0.001) is None
    assert queue.join(Ticket(1), rate=0.001) == "queue_full"


def test_no_flood_passes_the_bounds_on_those_that_wait() -> None:
    queue = Queue(Limits(candidates=4))
    join_all(queue, *[4] * 1001)
    assert queue.join(Ticket(1)) == queue.refusal("") == "queue_full"
    large = Ticket(4, size=2**28)
    queue = Queue(Limits(candidates=4))
    join_all(queue, 4)
    assert queue.join(large) is None
    assert queue.join(Ticket(1, size=1)) == queue.refusal("") == "queue_full"
    queue.leave(large)
    join_all(queue, 1)


def test_a_queue_of_a_number_of_requests() -> None:
    queue = Queue(Limits(candidates=10, waiting=2))
    _, waiting, _ = join_all(queue, 10, 10, 10)
    assert queue.join(Ticket(1)) == "queue_full"
    queue.leave(waiting)
    join_all(queue, 1)


def test_without_a_queue_nobody_waits() -> None:
    queue = Queue(Limits(candidates=10, waiting=0))
    join_all(queue, 8)
    assert queue.refusal("") is None
    assert queue.join(Ticket(8)) == "queue_full"
    join_all(queue, 2)
    assert queue.refusal("") == "queue_full"


def test_a_key_has_limits_and_others_are_not_touched_by_them() -> None:
    queue = Queue(Limits(candidates=100, key_requests=2, key_candidates=10))
    first, _ = join_all(queue, 4, 4, caller="a")
    assert queue.join(Ticket(1, caller="a")) == "key_requests"
    join_all(queue, 4, caller="b")
    assert queue.join(Ticket(7, caller="b")) == "key_candidates"
    queue.leave(first)
    join_all(queue, 6, caller="a")
    assert queue.load_of("a") == Load(2, 10)


def test_a_key_may_have_one_request_that_weighs_more_than_its_limit() -> None:
    queue = Queue(Limits(candidates=100, key_candidates=4))
    join_all(queue, 16, caller="a")
    assert queue.join(Ticket(1, caller="a")) == "key_candidates"


def test_requests_that_wait_count_for_their_key() -> None:
    queue = Queue(Limits(candidates=2, waiting=1, key_requests=2))
    join_all(queue, 2, caller="b")
    join_all(queue, 1, caller="a")
    assert queue.refusal("a") == "queue_full"
    queue = Queue(Limits(candidates=2, waiting=10, key_requests=2))
    join_all(queue, 2, caller="b")
    join_all(queue, 1, 1, caller="a")
    assert queue.refusal("a") == "key_requests"


_MAYBE = st.none() | st.integers(1, 8)


class Histories(RuleBasedStateMachine):
    """Requests of all kinds come and go in any order; beside the queue a plain list of who came when."""

    @initialize(
        limits=st.builds(
            Limits,
            candidates=st.integers(1, 20),
            tournaments=_MAYBE,
            waiting=st.integers(0, 5),
            queue_share=st.none() | st.floats(0.1, 2),
            waiting_bytes=st.integers(1, 200),
            key_requests=_MAYBE,
            key_candidates=_MAYBE,
        )
    )
    def begin(self, limits: Limits) -> None:
        self.limits = limits
        self.queue = Queue(limits)
        self.running: list[Ticket] = []
        self.waiting: list[Ticket] = []

    @rule(
        weight=st.integers(1, 30),
        tournament=st.booleans(),
        caller=st.sampled_from("abc"),
        size=st.integers(0, 100),
        rate=st.none() | st.floats(0, 2),
    )
    def come(self, weight: int, tournament: bool, caller: str, size: int, rate: float | None) -> None:
        ticket = Ticket(weight, tournament, caller, size)
        foreseen = self.queue.refusal(caller, rate=rate)
        reason = self.queue.join(ticket, rate=rate)
        if reason is None:
            assert foreseen is None, "whoever is refused unread would have been refused when read"
            (self.running if self.queue.runs(ticket) else self.waiting).append(ticket)
            assert self.queue.runs(ticket) or self.limits.waiting != 0
        elif reason == "queue_full":
            assert self.waiting or not self._fits(ticket)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.running))
        self.running.remove(ticket)
        self._admitted(self.queue.leave(ticket))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(ticket)
        self._admitted(self.queue.leave(ticket))

    def _admitted(self, admitted: list[Ticket]) -> None:
        assert admitted == self.waiting[: len(admitted)], "first come, first served"
        self.running += admitted
        del self.waiting[: len(admitted)]

    def _fits(self, ticket: Ticket) -> bool:
        if ticket.tournament and self.limits.tournaments is not None:
            running = sum(one.tournament for one in self.running)
            if running >= self.limits.tournaments:
                return False
        return weigh(self.running) + min(ticket.weight, self.limits.candidates) <= self.limits.candidates

    @invariant()
    def limits_are_kept(self) -> None:
        limits = self.limits
        assert weigh(self.running) <= limits.candidates
        if limits.tournaments is not None:
            assert sum(ticket.tournament for ticket in self.running) <= limits.tournaments
        assert len(self.waiting) <= limits.waiting
        assert sum(ticket.size for ticket in self.waiting[:-1]) < limits.waiting_bytes
        if limits.queue_share is not None:
            assert weigh(self.waiting[:-1]) < limits.queue_share * limits.candidates
        for caller in "abc":
            own = [ticket for ticket in self.running + self.waiting if ticket.caller == caller]
            assert self.queue.load_of(caller) == Load(len(own), weigh(own))
            assert limits.key_requests is None or len(own) <= limits.key_requests
            assert limits.key_candidates is None or len(own) <= 1 or weigh(own) <= limits.key_candidates

    @invariant()
    def nobody_is_lost_and_no_room_is_left_to_whoever_is_first(self) -> None:
        assert self.queue.running == Load(len(self.running), weigh(self.running))
        assert self.queue.waiting == Load(len(self.waiting), weigh(self.waiting))
        assert self.queue.tournaments == sum(ticket.tournament for ticket in self.running)
        assert all(self.queue.runs(ticket) for ticket in self.running)
        assert not self.waiting or not self._fits(self.waiting[0])


def weigh(tickets: Iterable[Ticket]) -> int:
    return sum(ticket.weight for ticket in tickets)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
