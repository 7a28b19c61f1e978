"""How fast candidates finish, and when a refused caller should come back.

The rate is measured while somebody waits: only then does what finishes show what the server can do. Before anybody has
ever waited, it is what has finished in the time in which anything ran. Older time counts for less and less.

Those who are told to come back are taken into account when the next one is told: if all came back after the time that
the queue alone needs, nearly all would be refused again. So a crowd is told times that spread it over as long as the
server needs for it. Nothing is reserved for them: newcomers may be faster.
"""

import math

# Seconds of measured time after which it counts for 1/e.
_MEMORY_SECONDS = 10.0
# Less time than that says nothing about a rate.
_SHORTEST_SECONDS = 1e-6
# Longer waits are not believed: OpenAI's clients give up on anything above two minutes, load balancers forget.
LONGEST_SECONDS = 60


class _Throughput:
    """Weight finished per second of the time that counts."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._finished = 0.0

    def add(self, seconds: float, finished: int) -> None:
        kept = math.exp(-seconds / _MEMORY_SECONDS)
        self._seconds = self._seconds * kept + seconds
        self._finished = self._finished * kept + finished

    @property
    def rate(self) -> float | None:
        return self._finished / self._seconds if self._finished and self._seconds >= _SHORTEST_SECONDS else None


class Drain:
    """Measures, and tells times. All times are of one monotonic clock, in seconds.

    Args:
        now: the time it begins.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self._busy = _Throughput()
        self._full = _Throughput()
        self._told_until = now

    @property
    def rate(self) -> float | None:
        """Candidates a second; None before the first has finished."""
        return self._full.rate or self._busy.rate

    def pass_time(self, now: float, *, busy: bool, full: bool, finished: int = 0) -> None:
        """Notes what was the case until now: whether anything ran, whether anybody waited, and what finishes now."""
        seconds, self._now = now - self._now, now
        if busy:
            self._busy.add(seconds, finished)
        if full:
            self._full.add(seconds, finished)

    def seconds_for(self, candidates: int) -> float:
        """Seconds in which so many candidates finish; 0 before anything is known."""
        return candidates / self.rate if self.rate else 0.0

    def come_back(self, ahead: int, weight: float) -> int:
        """Seconds after which a refused request should come back, 1 to 60.

        Args:
            ahead: candidates that must finish before anybody who was refused finds room.
            weight: candidates of the refused one, by which the next one comes later.
        """
        if self.rate is None:
            return 1
        self._told_until = max(self._told_until, self._now) + weight / self.rate
        seconds = self._told_until - self._now + ahead / self.rate
        # Whoever is told the longest time tells nothing about the next.
        self._told_until = min(self._told_until, self._now + LONGEST_SECONDS)
        return min(max(math.ceil(seconds), 1), LONGEST_SECONDS)

    def come_back_to_own(self, missing: int, own: int, everybodys: int) -> int:
        """The same for a caller whose own limit is in the way.

        Args:
            missing: candidates of the caller's that must finish first.
            own: candidates of the caller's, running or waiting.
            everybodys: the same of all callers; each caller's finish at the pace of its share.
        """
        seconds = self.seconds_for(missing) * everybodys / own
        return min(max(math.ceil(seconds), 1), LONGEST_SECONDS)
