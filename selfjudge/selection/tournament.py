"""The knockout tournament of self-rejection (section 3.3), and the places behind the winner.

The bracket is a balanced tree over the seats, fixed before a candidate arrives: pairing by arrival would give slow,
long responses a shorter way to the final. With N no power of two, those that sit one level higher have a bye. The best
of N takes N - 1 matches at most, ceil(log2 N) for each candidate. The next best is found by tournament selection: take
the winner out and replay its path, where only pairs that never met need a match, so it comes from those the winner
beat.
"""

from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from typing_extensions import override

from selfjudge.selection.contest import Contest, Record


class _Absent(Enum):
    UNKNOWN = auto()
    NOBODY = auto()


class _Node(NamedTuple):
    """A match of the bracket: its sides are candidates, or matches whose winners meet."""

    round: int
    left: "_Node | int"
    right: "_Node | int"


_Side = int | _Absent


def _bracket(seats: tuple[int, ...], round_: int) -> _Node | int:
    if len(seats) == 1:
        return seats[0]
    half = len(seats) // 2
    return _Node(round_, _bracket(seats[:half], round_ - 1), _bracket(seats[half:], round_ - 1))


class Tournament(Contest):
    """A seeded knockout bracket for any N of 1 or more."""

    def __init__(self, n: int, *, seed: int, top: int = 1) -> None:
        super().__init__(n, seed=seed, top=top)
        self.rounds = (n - 1).bit_length()
        """ceil(log2 N)."""
        self._root = _bracket(self.seats, self.rounds)
        self._ranking: list[int] = []
        self._done = False

    @override
    def _advance(self) -> None:
        while not self._done:
            best = self._side(self._root, len(self._ranking) + 1)
            if best is _Absent.UNKNOWN:
                return
            if isinstance(best, int):
                self._ranking.append(best)
            self._done = best is _Absent.NOBODY or len(self._ranking) == self.top

    def _side(self, node: _Node | int, place: int) -> _Side:
        """The candidate that comes out of a part of the bracket without those ranked above `place`."""
        if isinstance(node, int):
            if node in self._failed or node in self._ranking[: place - 1]:
                return _Absent.NOBODY
            return node if node in self._arrived else _Absent.UNKNOWN
        left, right = self._side(node.left, place), self._side(node.right, place)
        if left is _Absent.NOBODY:
            return right
        if right is _Absent.NOBODY:
            return left
        if isinstance(left, int) and isinstance(right, int):
            record = self._meet(left, right, place, node.round)
            if record is not None and record.winner is not None:
                return record.winner
        return _Absent.UNKNOWN

    @property
    @override
    def done(self) -> bool:
        return self._done

    @override
    def ranking(self) -> list[int]:
        return list(self._ranking)

    @override
    def records(self) -> list[Record]:
        records = [*self._decided.values(), *self._open_records(), *self._walkovers(self._root)]
        return sorted(records, key=lambda record: (record.place, record.round, self._position[record.first]))

    def _walkovers(self, node: _Node | int) -> Iterator[Record]:
        if isinstance(node, int):
            return
        sides = [self._side(side, place=1) for side in (node.left, node.right)]
        if _Absent.NOBODY in sides:
            for side in sides:
                if isinstance(side, int):
                    yield Record(1, node.round, side, None, None, None, side, "walkover")
        yield from self._walkovers(node.left)
        yield from self._walkovers(node.right)
