"""How fast candidates finish, and from that the Retry-After of a refusal.

The server's rate is measured while requests wait; while requests run and none waits, it is a lower bound. Older
candidates count for less, by how many have finished since: not by time, because a large model may be silent for a
minute and then finish everything at once.

Each refusal's time counts the refusals before it: if all callers came back when the queue is empty, nearly all would be
refused again. So their times spread them over as long as the server needs for them. No room is reserved for them.
"""

import math

# What finishes counts for 1/e once so many times as many candidates as run at once have finished after it.
_MEMORY_ROUNDS = 4
# Less time than that says nothing about a rate.
_SHORTEST_SECONDS = 1e-6
# OpenAI's clients give up on anything above two minutes.
LONGEST_SECONDS = 60


class _Rate:
    """Weight finished per second of the time that counts."""

    def __init__(self, memory: float) -> None:
        self._memory = memory
        self._seconds = 0.0
        self._finished = 0.0
        self.total = 0
        """Weight finished since it began."""

    def add(self, seconds: float, finished: int) -> None:
        self.total += finished
        kept = math.exp(-finished / self._memory)
        self._seconds = (self._seconds + seconds) * kept
        self._finished = (self._finished + finished) * kept

    @property
    def rate(self) -> float | None:
        return self._finished / self._seconds if self._finished and self._seconds >= _SHORTEST_SECONDS else None


class Throughput:
    """Measures the rate, and computes Retry-After. All times are of one monotonic clock, in seconds.

    Args:
        now: the time it begins.
        candidates: weight that may run at once.
    """

    def __init__(self, now: float, candidates: int) -> None:
        self._now = now
        self._candidates = candidates
        self._busy = _Rate(_MEMORY_ROUNDS * candidates)
        self._full = _Rate(_MEMORY_ROUNDS * candidates)
        self._told_until = now

    @property
    def rate(self) -> float | None:
        """Candidates a second; None before the first has finished."""
        return max((one.rate for one in (self._full, self._busy) if one.rate is not None), default=None)

    @property
    def sure_rate(self) -> float | None:
        """The same, but None before a full server has finished as many as run at once: the first are the short ones."""
        return self.rate if self._full.total >= self._candidates else None

    def pass_time(self, now: float, *, busy: bool, full: bool, finished: int = 0) -> None:
        """Notes whether requests ran and waited until now, and the weight that finishes now."""
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
            ahead: candidates that are to finish before the first refused request comes back.
            weight: of the refused request, by which the next one comes back later.
        """
        if self.rate is None:
            return 1
        self._told_until = max(self._told_until, self._now) + weight / self.rate
        seconds = self._told_until - self._now + ahead / self.rate
        # Times beyond the longest are not added up.
        self._told_until = min(self._told_until, self._now + LONGEST_SECONDS)
        return _told(seconds)

    def come_back_to_own(self, missing: int, own: int, everybodys: int) -> int:
        """The same for a caller whose own limit is in the way.

        Args:
            missing: candidates of the caller's that must finish first.
            own: candidates of the caller's, running or waiting.
            everybodys: the same of all callers; each caller's finish at the pace of its share.
        """
        return _told(self.seconds_for(missing) * everybodys / own)


def _told(seconds: float) -> int:
    return min(max(math.ceil(round(seconds, 3)), 1), LONGEST_SECONDS)
