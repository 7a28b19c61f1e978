"""Round robin: every pair meets, N(N-1)/2 matches. The reference that section 3.3 replaces by the tournament."""

import math
from itertools import combinations

from typing_extensions import override

from selfjudge.selection.contest import Contest, Record


class RoundRobin(Contest):
    """Ranks by win rate, ties counting half, then by the mean probability of winning, then by bracket position."""

    @override
    def _advance(self) -> None:
        present = [candidate for candidate in self.seats if candidate in self._arrived]
        if len(self._issued) == math.comb(len(present), 2):
            return
        for first, second in combinations(present, 2):
            self._meet(first, second, place=1, round_=1)

    @property
    @override
    def done(self) -> bool:
        return self._all_entered and len(self._decided) == len(self._issued)

    @override
    def ranking(self) -> list[int]:
        if not self.done:
            return []
        return sorted(self._arrived, key=self._score)[: self.top]

    def _score(self, candidate: int) -> tuple[float, float, int]:
        points, likelihood = 0.0, 0.0
        for (first, _), record in self._decided.items():
            if candidate in (record.first, record.second):
                won = 0.5 if record.outcome == "tie" else float(record.winner == candidate)
                points += won
                probability = record.probability_a
                likelihood += won if probability is None else probability if candidate == first else 1 - probability
        return -points, -likelihood, self._position[candidate]

    @override
    def records(self) -> list[Record]:
        return [*self._decided.values(), *self._open_records()]
