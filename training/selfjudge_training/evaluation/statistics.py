"""Means with their uncertainty: Wilson's intervals for independent trials, bootstrap over prompts for the rest."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats  # type: ignore[import-untyped]  # it ships no py.typed

RESAMPLES = 1000

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """A mean with the bounds of its 95% interval, and how many observations it rests on."""

    mean: float
    low: float
    high: float
    observations: int


Figures = dict[str, Estimate]
"""Estimates by their names."""


def wilson(outcomes: Iterable[bool]) -> Estimate:
    """The share of successes among independent trials. Raises ValueError where there are none."""
    trials = list(outcomes)
    test = stats.binomtest(sum(trials), len(trials))
    interval = test.proportion_ci(method="wilson")
    return Estimate(float(test.statistic), float(interval.low), float(interval.high), len(trials))


def rate(values: Sequence[float], prompts: Sequence[Hashable] | None = None) -> Estimate:
    """The mean of values in [0, 1]: Wilson's interval for yes and no on prompts of one row, else as `bootstrap`.

    Wilson's is the better of the two on few rows, or where all say the same, but needs independent trials.
    """
    independent = prompts is None or len(set(prompts)) == len(values)
    if independent and set(values) <= {0.0, 1.0}:
        return wilson(value == 1.0 for value in values)
    return bootstrap(values, prompts)


def rates(columns: Mapping[str, Sequence[float]], prompts: Sequence[Hashable]) -> Figures:
    """The `rate` of each column."""
    return {name: rate(values, prompts) for name, values in columns.items()}


def rates_by_category(
    columns: Mapping[str, Sequence[float]], prompts: Sequence[Hashable], categories: Sequence[str]
) -> dict[str, Figures]:
    """The `rates` of each category of rows; empty where all are of one."""
    found, names = {}, sorted(set(categories))
    for name in names if len(names) > 1 else ():
        rows = [category == name for category in categories]
        some = {key: list(compress(values, rows)) for key, values in columns.items()}
        found[name] = rates(some, list(compress(prompts, rows)))
    return found


def bootstrap(values: ArrayLike, prompts: Sequence[Hashable] | None = None) -> Estimate:
    """The mean of values, one a row, as `bootstrap_means`; without ``prompts``, each row is a prompt of its own."""
    column = np.reshape(np.asarray(values, dtype=np.float64), (-1, 1))
    return bootstrap_means(column, range(len(column)) if prompts is None else prompts, lambda means: float(means[0]))


def bootstrap_means(rows: NDArray[Any], prompts: Sequence[Hashable], statistic: Callable[[Floats], float]) -> Estimate:
    """A statistic of the means of columns, with a percentile interval over prompts drawn anew, each with all its rows.

    ``prompts`` has the prompt that each row belongs to: rows of one are not independent. Raises ValueError where there
    is no row.
    """
    if not len(rows):
        raise ValueError("an estimate needs at least one row")
    numbers = {prompt: number for number, prompt in enumerate(dict.fromkeys(prompts))}
    places = [numbers[prompt] for prompt in prompts]
    sums, counts = np.zeros((len(numbers), rows.shape[1])), np.bincount(places)
    np.add.at(sums, places, rows)
    found = statistic(rows.mean(0))
    if len(numbers) == 1:
        return Estimate(found, found, found, len(rows))
    interval = stats.bootstrap(
        (np.arange(len(numbers)),),
        lambda drawn: statistic(sums[drawn].sum(0) / counts[drawn].sum()),
        vectorized=False,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Estimate(found, float(interval.low), float(interval.high), len(rows))
