"""The rules and the times told, together, on a simulated server: ten times its capacity, and a crowd that comes back.

The server finishes 100 candidates a second, shared evenly by all that runs. What a real one does is measured by
`python -m loadtests overload`.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from statistics import median

import pytest
from selfjudge_service.admission.queue import Limits, Queue, Ticket
from selfjudge_service.admission.throughput import LONGEST_SECONDS, Throughput

CAPACITY = 100.0
WAITING = Limits(candidates=128)
NARROW = Limits(candidates=128, queue_share=0.25)
STEP = 0.01


@dataclass(eq=False)
class Visitor:
    """Somebody with one request, who comes back when told to if `patient`."""

    comes: float
    weight: int
    patient: bool = False
    told: list[int] = field(default_factory=list)
    answered: float | None = None
    left: float = 0.0


class Server:
    """Steps through time."""

    def __init__(self, limits: Limits) -> None:
        self.now = 0.0
        self.queue = Queue(limits)
        self.throughput = Throughput(0.0, limits.candidates)
        self.inside: dict[Ticket, Visitor] = {}

    def serve(self, visitors: Iterable[Visitor]) -> None:
        """Until nobody is inside and nobody comes any more."""
        coming = sorted(visitors, key=lambda visitor: visitor.comes)
        while coming or self.inside:
            due = list(takewhile(lambda visitor: visitor.comes <= self.now, coming))
            coming = coming[len(due) :]
            back = [visitor for visitor in due if not self._comes(visitor) and visitor.patient]
            coming = sorted(coming + back, key=lambda visitor: visitor.comes)
            self._work()
            self.now += STEP

    def _comes(self, visitor: Visitor) -> bool:
        ticket = Ticket(visitor.weight)
        self._pass_time()
        if self.queue.join(ticket, rate=self.throughput.sure_rate):
            visitor.told.append(self.throughput.come_back(self.queue.waiting.candidates // 2, visitor.weight))
            visitor.comes = self.now + visitor.told[-1]
            return False
        visitor.left = ticket.weight
        self.inside[ticket] = visitor
        return True

    def _work(self) -> None:
        running = [ticket for ticket in self.inside if self.queue.runs(ticket)]
        for ticket in running:
            visitor = self.inside[ticket]
            visitor.left -= CAPACITY * STEP / len(running)
            if visitor.left <= 0:
                visitor.answered = self.now
                del self.inside[ticket]
                self._pass_time(ticket.weight)
                self.queue.leave(ticket)

    def _pass_time(self, finished: int = 0) -> None:
        waiting = self.queue.waiting.requests > 0
        self.throughput.pass_time(self.now, busy=self.queue.running.requests > 0, full=waiting, finished=finished)


def arrivals(
    rate: float, seconds: float, weights: list[int], *, patient: bool = False, since: float = 0.0
) -> list[Visitor]:
    """Poisson arrivals of these weights."""
    drawn = random.Random(0)
    visitors: list[Visitor] = []
    now = drawn.expovariate(rate)
    while now < seconds:
        visitors.append(Visitor(since + now, drawn.choice(weights), patient))
        now += drawn.expovariate(rate)
    return visitors


def latencies(visitors: list[Visitor]) -> list[float]:
    return sorted(visitor.answered - visitor.comes for visitor in visitors if visitor.answered is not None)


def test_at_ten_times_capacity_nobody_who_may_wait_waits_in_vain_or_for_long() -> None:
    visitors = arrivals(rate=125.0, seconds=20.0, weights=[1, 8, 15])
    Server(WAITING).serve(visitors)
    taken = latencies(visitors)
    assert taken[-1] < WAITING.queue_seconds + 128 / CAPACITY
    assert median(taken) > WAITING.queue_seconds / 2, "people wait"


def test_eight_clients_of_a_slow_model_wait_for_each_other() -> None:
    visitors = [Visitor(comes=0.1 * number, weight=64) for number in range(8)]
    Server(WAITING).serve(visitors)
    assert all(visitor.answered is not None for visitor in visitors)


def test_at_ten_times_capacity_a_narrow_queue_holds_latency_below_twice_that_at_capacity() -> None:
    # At capacity 16 tournaments of 8 run at once, and each takes 128 candidates' time.
    at_capacity = 128 / CAPACITY
    visitors = arrivals(rate=125.0, seconds=20.0, weights=[8])
    Server(NARROW).serve(visitors)
    taken = latencies(visitors)
    assert median(taken) < 2 * at_capacity
    assert taken[int(0.95 * len(taken))] < 2 * at_capacity
    assert len(taken) / 20 > 0.95 * CAPACITY / 8, "and the server is kept busy"


@pytest.mark.parametrize("warm", [True, False])
def test_a_crowd_that_comes_back_as_told_to_a_narrow_queue_gets_in(warm: bool) -> None:
    server = Server(NARROW)
    if warm:
        server.serve(arrivals(rate=20.0, seconds=15.0, weights=[8]))
        server.now += LONGEST_SECONDS
    began = server.now
    visitors = arrivals(rate=125.0, seconds=3.0, weights=[8], patient=True, since=began)
    server.serve(visitors)
    refused = [visitor for visitor in visitors if visitor.told]
    assert len(refused) > 0.8 * len(visitors)
    # A server that nothing has finished on yet tells the first of them no more than a second.
    assert sum(len(visitor.told) == 1 for visitor in refused) > (0.85 if warm else 0.6) * len(refused)
    seldom = [visitor for visitor in refused if len(visitor.told) > 2]
    assert len(seldom) < 0.02 * len(refused), "OpenAI's clients try again twice by themselves"
    needed = 8 * len(visitors) / CAPACITY
    assert server.now - began < (1.2 if warm else 1.5) * needed, "and the server is kept busy meanwhile"


def test_a_crowd_larger_than_the_queue_comes_back_and_gets_in() -> None:
    server = Server(WAITING)
    visitors = arrivals(rate=125.0, seconds=9.0, weights=[8], patient=True)
    server.serve(visitors)
    refused = [visitor for visitor in visitors if visitor.told]
    assert len(refused) > 0.5 * len(visitors)
    assert max(len(visitor.told) for visitor in refused) == 1
    assert server.now < 1.05 * 8 * len(visitors) / CAPACITY, "and the server is kept busy meanwhile"


@pytest.mark.parametrize("limits", [WAITING, NARROW])
def test_large_tournaments_are_let_in_about_as_often_as_small_requests(limits: Limits) -> None:
    visitors = arrivals(rate=60.0, seconds=60.0, weights=[1, 8, 64])
    Server(limits).serve(visitors)

    def share(weight: int) -> float:
        of_weight = [visitor for visitor in visitors if visitor.weight == weight]
        return sum(visitor.answered is not None for visitor in of_weight) / len(of_weight)

    assert share(64) > 0.6 * share(1)
