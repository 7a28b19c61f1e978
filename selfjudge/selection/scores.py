"""Selection by score: each candidate is judged by itself, N reads in all, and the highest score wins."""

from typing_extensions import override

from selfjudge.errors import TournamentError
from selfjudge.selection.method import SelectionMethod


class BestScore(SelectionMethod):
    """Ranks all candidates by their scores; equal ones by the draw. A candidate that is alone needs no score."""

    def __init__(self, n: int, *, seed: int, top: int = 1) -> None:
        super().__init__(n, seed=seed, top=top)
        self._queue: list[int] = []
        self._asked: set[int] = set()
        self._scores: dict[int, float | None] = {}

    def ready(self) -> list[int]:
        """The candidates that can be scored now and were not handed out before."""
        candidates, self._queue = self._queue, []
        return candidates

    def report(self, candidate: int, score: float) -> None:
        """The score of a candidate that `ready` handed out; the higher, the better.

        Raises TournamentError for one that was not handed out, or was reported before.
        """
        self._settle(candidate, score)

    def leave_open(self, candidate: int) -> None:
        """No score can be had: the candidate comes behind those that have one. Raises as `report`."""
        self._settle(candidate, None)

    def _settle(self, candidate: int, score: float | None) -> None:
        if candidate not in self._asked or candidate in self._queue:
            raise TournamentError(f"candidate {candidate} was not handed out")
        if candidate in self._scores:
            raise TournamentError(f"candidate {candidate} was reported before")
        self._scores[candidate] = score

    @property
    def scores(self) -> dict[int, float]:
        """Those that were reported, by candidate."""
        return {candidate: score for candidate, score in self._scores.items() if score is not None}

    @property
    @override
    def done(self) -> bool:
        return self._all_entered and len(self._scores) == len(self._asked)

    @override
    def ranked(self) -> list[int]:
        """All that have arrived: those that keep the form first, of these the scored first."""
        return sorted(self._arrived, key=self._merit)

    def _merit(self, candidate: int) -> tuple[bool, bool, float, int]:
        score = self._scores.get(candidate)
        return candidate in self._demoted, score is None, -(score or 0.0), self._position[candidate]

    @override
    def _advance(self) -> None:
        if self.n == 1:
            return
        new = self._arrived - self._asked
        self._asked |= new
        self._queue += new
