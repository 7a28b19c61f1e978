"""Shares with their uncertainty: Wilson score intervals for independent trials, bootstrap over prompts for the rest."""

import random
from collections.abc import Iterable, Sequence
from math import sqrt
from statistics import fmean
from typing import NamedTuple

Z95 = 1.959963984540054
RESAMPLES = 1000


class Estimate(NamedTuple):
    """A mean with the bounds of its 95% interval, and how many observations it rests on."""

    mean: float
    low: float
    high: float
    observations: int


def wilson(outcomes: Iterable[bool]) -> Estimate:
    """The share of successes among independent trials. Raises ValueError where there are none."""
    trials = list(outcomes)
    n = len(trials)
    if not n:
        raise ValueError("a share needs at least one trial")
    share = sum(trials) / n
    centre = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    reach = Z95 / (1 + Z95**2 / n) * sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    return Estimate(share, max(0.0, centre - reach), min(1.0, centre + reach), n)


def bootstrap(values: Sequence[float], seed: int = 0) -> Estimate:
    """The mean of one value per prompt, with a percentile interval over prompts drawn anew with replacement."""
    if not values:
        raise ValueError("a mean needs at least one value")
    rng = random.Random(seed)
    means = sorted(fmean(rng.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return Estimate(fmean(values), means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1], len(values))
