"""Shares with their uncertainty: Wilson's intervals for independent trials, bootstrap over prompts for the rest."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]  # it ships no py.typed

RESAMPLES = 1000

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """A mean with the bounds of its 95% interval, and how many observations it rests on."""

    mean: float
    low: float
    high: float
    observations: int


def wilson(outcomes: Iterable[bool]) -> Estimate:
    """The share of successes among independent trials. Raises ValueError where there are none."""
    trials = list(outcomes)
    if not trials:
        raise ValueError("an estimate needs at least one row")
    test = stats.binomtest(sum(trials), len(trials))
    interval = test.proportion_ci(method="wilson")
    return Estimate(float(test.statistic), float(interval.low), float(interval.high), len(trials))


def bootstrap(values: Sequence[float]) -> Estimate:
    """The mean of one value per prompt. Raises ValueError where there is none."""
    return mean(values, range(len(values)))


def mean(values: Sequence[float], prompts: Sequence[Hashable]) -> Estimate:
    """As `bootstrap_statistic` with the mean, but faster."""
    rows, groups = np.asarray(values, dtype=np.float64), _rows_of_prompts(prompts)
    sums, counts = np.array([rows[group].sum() for group in groups]), np.array([len(group) for group in groups])
    return _resampled(
        float(rows.mean()), len(groups), lambda drawn: float(sums[drawn].sum() / counts[drawn].sum()), rows
    )


def bootstrap_statistic(
    values: Sequence[float], prompts: Sequence[Hashable], statistic: Callable[[Floats], float]
) -> Estimate:
    """Any statistic of values, one a row, with a percentile interval over prompts drawn anew, each with all its rows.

    ``prompts`` has the prompt that each row belongs to: rows of one are not independent.
    """
    rows, groups = np.asarray(values, dtype=np.float64), _rows_of_prompts(prompts)

    def of_groups(drawn: NDArray[np.int64]) -> float:
        return statistic(rows[np.concatenate([groups[group] for group in drawn])])

    return _resampled(statistic(rows), len(groups), of_groups, rows)


def rate(values: Sequence[float], prompts: Sequence[Hashable]) -> Estimate:
    """The mean of values in [0, 1], one a row: Wilson's interval for yes and no on prompts of one row, else bootstrap.

    Wilson's is the better of the two on few rows, or where all say the same, but needs independent trials.
    """
    if len(set(prompts)) == len(values) and set(values) <= {0.0, 1.0}:
        return wilson(value == 1.0 for value in values)
    return mean(values, prompts)


def _resampled(found: float, prompts: int, statistic: Callable[[NDArray[Any]], float], rows: Floats) -> Estimate:
    """With the interval of a statistic of the indices of prompts drawn."""
    if prompts == 1:
        return Estimate(found, found, found, len(rows))
    drawn = stats.bootstrap(
        (np.arange(prompts),),
        statistic,
        vectorized=False,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    low, high = drawn.confidence_interval
    return Estimate(found, float(low), float(high), len(rows))


def _rows_of_prompts(prompts: Sequence[Hashable]) -> list[NDArray[np.int64]]:
    """The rows of each prompt."""
    if not len(prompts):
        raise ValueError("an estimate needs at least one row")
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for row, prompt in enumerate(prompts):
        groups[prompt].append(row)
    return [np.array(group) for group in groups.values()]
