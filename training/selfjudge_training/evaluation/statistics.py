"""Shares with their uncertainty: Wilson score intervals for independent trials, bootstrap over prompts for the rest."""

import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from math import fsum, sqrt
from statistics import fmean
from typing import NamedTuple, TypeVar

Z95 = 1.959963984540054
RESAMPLES = 1000

Row = TypeVar("Row")


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
    return Estimate(fmean(values), *_middle(means), len(values))


def bootstrap_statistic(
    rows: Sequence[Row], prompts: Sequence[Hashable], statistic: Callable[[Sequence[Row]], float], seed: int = 0
) -> Estimate:
    """Any statistic of rows, with a percentile interval over prompts drawn anew, each with all of its rows.

    ``prompts`` says of each row which prompt it belongs to; rows of one prompt are not independent.
    """
    groups = list(_by_prompt(rows, prompts).values())
    rng = random.Random(seed)
    drawn = (rng.choices(groups, k=len(groups)) for _ in range(RESAMPLES))
    resampled = sorted(statistic([row for group in some for row in group]) for some in drawn)
    return Estimate(statistic(rows), *_middle(resampled), len(rows))


def rate(values: Sequence[float], prompts: Sequence[Hashable], seed: int = 0) -> Estimate:
    """The mean of values in [0, 1], one a row: Wilson's interval for yes and no on prompts of one row, else bootstrap.

    Wilson's is the better of the two on few rows, or where all say the same, but wants independent trials.
    """
    groups = _by_prompt(values, prompts)
    if len(groups) == len(values) and set(values) <= {0.0, 1.0}:
        return wilson(value == 1.0 for value in values)
    sums = [(fsum(group), len(group)) for group in groups.values()]
    means = bootstrap_statistic(sums, range(len(sums)), _mean_of_sums, seed)
    return means._replace(observations=len(values))


def _by_prompt(rows: Sequence[Row], prompts: Sequence[Hashable]) -> dict[Hashable, list[Row]]:
    if not rows:
        raise ValueError("an estimate needs at least one row")
    groups: dict[Hashable, list[Row]] = defaultdict(list)
    for row, prompt in zip(rows, prompts, strict=True):
        groups[prompt].append(row)
    return groups


def _mean_of_sums(sums: Sequence[tuple[float, int]]) -> float:
    return sum(total for total, _ in sums) / sum(count for _, count in sums)


def _middle(ordered: Sequence[float]) -> tuple[float, float]:
    """The bounds of the middle 95% of `RESAMPLES` values in ascending order."""
    return ordered[int(0.025 * RESAMPLES)], ordered[int(0.975 * RESAMPLES) - 1]
