"""Simulated time, and a worker that does one thing after another. All that a simulation library would be used for."""

import heapq
from collections.abc import Callable
from itertools import count

Then = Callable[[], None]


class Clock:
    """Runs what was to happen, in order of time; what is due at once runs in the order in which it was said."""

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds since the beginning."""
        self._due: list[tuple[float, int, Then]] = []
        self._order = count()

    def after(self, seconds: float, then: Then) -> None:
        """Has something happen so much later."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), then))

    def run(self, until: float = float("inf")) -> None:
        """Lets time pass until nothing is to happen any more, or up to a time."""
        while self._due and self._due[0][0] <= until:
            self.now, _, then = heapq.heappop(self._due)
            then()


class Worker:
    """A process that does its work in the order in which it is handed in, one piece at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free = 0.0
        self.busy = 0.0
        """Seconds worked or promised so far."""

    def work(self, seconds: float, then: Then) -> None:
        """Queues a piece of work, and has `then` happen once it is done."""
        self._free = max(self._clock.now, self._free) + seconds
        self.busy += seconds
        self._clock.after(self._free - self._clock.now, then)
