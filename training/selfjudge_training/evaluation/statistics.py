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
        raise ValueError("a share needs at least one trial")
    test = stats.binomtest(sum(trials), len(trials))
    interval = test.proportion_ci(method="wilson")
    return Estimate(float(test.statistic), float(interval.low), float(interval.high), len(trials))


def bootstrap(values: Sequence[float], seed: int = 0) -> Estimate:
    """The mean of one value per prompt. Raises ValueError where there is none."""
    return bootstrap_statistic(values, range(len(values)), lambda drawn: float(drawn.mean()), seed)


def bootstrap_statistic(
    values: Sequence[float], prompts: Sequence[Hashable], statistic: Callable[[Floats], float], seed: int = 0
) -> Estimate:
    """Any statistic of values, with a percentile interval over prompts drawn anew, each with all of its values.

    Args:
        values: one a row.
        prompts: of each row, the prompt it belongs to; rows of one prompt are not independent.
        statistic: takes any number of values.
        seed: draws.
    """
    rows = np.asarray(values, dtype=np.float64)
    groups = _rows_of_prompts(prompts)

    def of_groups(drawn: NDArray[np.int64]) -> float:
        return statistic(rows[np.concatenate([groups[group] for group in drawn])])

    return resampled(statistic(rows), len(groups), of_groups, len(rows), seed)


def rate(values: Sequence[float], prompts: Sequence[Hashable], seed: int = 0) -> Estimate:
    """The mean of values in [0, 1], one a row: Wilson's interval for yes and no on prompts of one row, else bootstrap.

    Wilson's is the better of the two on few rows, or where all say the same, but needs independent trials.
    """
    groups = _rows_of_prompts(prompts)
    if len(groups) == len(values) and set(values) <= {0.0, 1.0}:
        return wilson(value == 1.0 for value in values)
    rows = np.asarray(values, dtype=np.float64)
    sums, counts = np.array([rows[group].sum() for group in groups]), np.array([len(group) for group in groups])
    return resampled(
        float(rows.mean()), len(groups), lambda drawn: float(sums[drawn].sum() / counts[drawn].sum()), len(rows), seed
    )


def resampled(
    mean: float, units: int, statistic: Callable[[NDArray[Any]], float], observations: int, seed: int = 0
) -> Estimate:
    """An estimate whose percentile interval comes from drawing so many units anew with replacement.

    Args:
        mean: of the sample.
        units: what is independent, such as prompts.
        statistic: of the indices of drawn units.
        observations: rows that the sample has.
        seed: draws.
    """
    if units == 1:
        return Estimate(mean, mean, mean, observations)
    found = stats.bootstrap(
        (np.arange(units),),
        statistic,
        vectorized=False,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = found.confidence_interval
    return Estimate(mean, float(low), float(high), observations)


def _rows_of_prompts(prompts: Sequence[Hashable]) -> list[NDArray[np.int64]]:
    """The rows of each prompt."""
    if not len(prompts):
        raise ValueError("an estimate needs at least one row")
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for row, prompt in enumerate(prompts):
        groups[prompt].append(row)
    return [np.array(group) for group in groups.values()]
