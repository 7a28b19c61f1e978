"""What a way of picking among N answers gets right, on average over the ways to draw N of the answers that there are.

Where candidates are ranked by a number, the average over all subsets is computed exactly; a tournament's is over the
groups that its bracket holds. Knows nothing of models or of files.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from math import comb
from typing import NamedTuple

import numpy as np
from selfjudge_training.evaluation.statistics import Estimate, Floats, bootstrap_means

RANDOM, ORACLE = "random", "oracle"


def best_by(values: Sequence[float], right: Sequence[bool], size: int) -> float:
    """P(the answer of the greatest value among ``size`` drawn is right); equal values are drawn among by chance."""
    order = sorted(range(len(values)), key=lambda place: -values[place])
    ways, before, found = comb(len(values), size), 0, 0.0
    for _, places in groupby(order, key=lambda place: values[place]):
        group = list(places)
        worse = len(values) - before
        among = comb(worse, size) - comb(worse - len(group), size)
        found += among / ways * sum(right[place] for place in group) / len(group)
        before += len(group)
    return found


class Point(NamedTuple):
    """A way of picking at one N: an entry for each prompt."""

    right: list[float]
    """P(the pick is right)."""
    tokens: list[float] | None = None
    """Judge tokens computed, of those prompts that were read."""


Curve = dict[int, Point]
"""By N."""


class Picked(NamedTuple):
    """The figures of one way of picking at one N."""

    right: Estimate
    tokens: float | None
    """Mean judge tokens computed for a request."""
    recovered: Estimate | None
    """Share of the oracle's gain over a random pick; none where the oracle gains nothing."""
    gain: Estimate
    """Right picks more than at random."""

    @property
    def per_thousand(self) -> float | None:
        """Share of the oracle's gain for each thousand judge tokens."""
        return self.recovered.mean / self.tokens * 1000 if self.recovered and self.tokens else None


def picked(curves: Mapping[str, Curve]) -> dict[str, dict[int, Picked]]:
    """Figures of all curves, which are of the same prompts, `RANDOM` and `ORACLE` among them."""
    return {
        name: {size: _picked(point, curves[RANDOM][1], curves[ORACLE][size]) for size, point in curve.items()}
        for name, curve in curves.items()
    }


def _picked(point: Point, chance: Point, oracle: Point) -> Picked:
    possible = np.mean(oracle.right) > np.mean(chance.right)
    return Picked(
        right=means(point.right)(lambda mean: float(mean[0])),
        tokens=float(np.mean(point.tokens)) if point.tokens else None,
        recovered=means(point.right, chance.right, oracle.right)(_share) if possible else None,
        gain=less(point.right, chance.right),
    )


def _share(mean: Floats) -> float:
    own, chance, oracle = mean
    return float((own - chance) / (oracle - chance)) if oracle > chance else 0.0


def means(*columns: Sequence[float]) -> Callable[[Callable[[Floats], float]], Estimate]:
    """Estimates of what is computed from the means of columns of the same prompts, one row each."""
    rows = np.array(columns, dtype=np.float64).T
    return lambda statistic: bootstrap_means(rows, range(len(rows)), statistic)


def less(more: Sequence[float], fewer: Sequence[float]) -> Estimate:
    """The difference of two means on the same prompts."""
    return means(more, fewer)(lambda mean: float(mean[0] - mean[1]))


class Turn(NamedTuple):
    """Where a curve is highest, and what it loses from there to its largest N."""

    best: int
    last: int
    loss: Estimate


def turn(curve: Curve) -> Turn:
    """Of a curve. Its loss is 0 where the largest N is best."""
    best, last = max(curve, key=lambda size: float(np.mean(curve[size].right))), max(curve)
    return Turn(best, last, less(curve[best].right, curve[last].right))


def groups(seats: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """The groups of neighbours that a bracket over these seats holds."""
    for start in range(0, len(seats) - size + 1, size):
        yield seats[start : start + size]
