"""What every way of picking the best of N has in common: candidates that arrive or fail, and an order among them.

A method is sans-IO: its caller says which candidates have arrived or failed, takes the questions that can be asked,
has them answered in any order, and reports. Candidates are the integers 0 to N-1; a method knows neither their texts
nor the judge. What it asks is a subclass's: matches of two (contest.py), or scores of one (scores.py).
"""

import random
from abc import ABC, abstractmethod

from selfjudge.errors import TournamentError


class SelectionMethod(ABC):
    """Picks the best `top` of `n` candidates. The seats, drawn by `seed`, do not depend on the order of arrival."""

    def __init__(self, n: int, *, seed: int, top: int = 1) -> None:
        """Raises TournamentError unless 1 <= top <= n."""
        if not 1 <= top <= n:
            raise TournamentError(f"1 <= top <= n must hold, but top is {top} and n is {n}")
        self.n, self.seed, self.top = n, seed, top
        seats = list(range(n))
        random.Random(seed).shuffle(seats)
        self.seats = tuple(seats)
        """Candidates by their place in the draw, which decides what nothing else decides."""
        self._position = {candidate: position for position, candidate in enumerate(seats)}
        self._arrived: set[int] = set()
        self._failed: set[int] = set()
        self._demoted: set[int] = set()

    def arrive(self, candidate: int) -> None:
        """The candidate is there and can be judged. Raises TournamentError if it arrived or failed before."""
        self._enter(candidate)
        self._arrived.add(candidate)
        self._advance()

    def fail(self, candidate: int) -> None:
        """The candidate will never be there. Raises as `arrive`."""
        self._enter(candidate)
        self._failed.add(candidate)
        self._advance()

    def demote(self, candidate: int) -> None:
        """The candidate, still to arrive, breaks the form asked for: it comes behind each that keeps it.

        Raises as `arrive`.
        """
        self._enter(candidate)
        self._demoted.add(candidate)

    def _enter(self, candidate: int) -> None:
        if candidate not in range(self.n):
            raise TournamentError(f"candidate {candidate} is none of 0 to {self.n - 1}")
        if candidate in self._arrived | self._failed:
            raise TournamentError(f"candidate {candidate} has arrived or failed before")

    @property
    def _all_entered(self) -> bool:
        return len(self._arrived) + len(self._failed) == self.n

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether the ranking is final."""

    @abstractmethod
    def ranked(self) -> list[int]:
        """The candidates that the method ranks, best so far first: `top` at least, if so many have arrived.

        For answers at a deadline too.
        """

    @abstractmethod
    def _advance(self) -> None:
        """Derive what the latest arrival, failure or report decides, and queue the questions that it makes possible."""
