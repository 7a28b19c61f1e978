"""Whether a judge's probabilities mean what they say: calibration error, Brier score, reliability by confidence.

A judge's confidence in its own choice lies between 1/2 and 1; a calibrated judge is right that often.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selfjudge_training.evaluation.statistics import Estimate, Floats, bootstrap_statistic, rate

BINS = 10
"""Of equal width, from confidence 1/2 to 1."""


class Bin(NamedTuple):
    """Comparisons of like confidence."""

    low: float
    high: float
    confidence: float
    """Mean confidence in the judge's own choice."""
    accuracy: Estimate


class Calibration(NamedTuple):
    """Both scores are 0 at best; a judge that always says 1/2 has calibration error 0 and Brier score 1/4."""

    expected_error: Estimate
    """Chance alone keeps it above 0, the more so the fewer the comparisons; the interval lies a little too high."""
    brier: Estimate
    bins: list[Bin]
    """Those that are not empty, by ascending confidence."""


def calibrate(probabilities: Sequence[float], prompts: Sequence[Hashable]) -> Calibration:
    """Calibration from P(the chosen response is better), one for each comparison; ``prompts``: what it belongs to."""
    return Calibration(
        bootstrap_statistic(probabilities, prompts, expected_calibration_error),
        bootstrap_statistic(probabilities, prompts, brier_score),
        _bins(np.asarray(probabilities), prompts),
    )


def expected_calibration_error(probabilities: ArrayLike) -> float:
    """|confidence - accuracy| averaged over all comparisons, each standing for its bin."""
    values = np.asarray(probabilities)
    gaps = np.bincount(_bin(values), weights=_confidence(values) - _correct(values), minlength=BINS)
    return float(np.abs(gaps).sum() / len(values))


def brier_score(probabilities: ArrayLike) -> float:
    """Mean squared distance from the truth, which is 1: the chosen response is the better one."""
    return float(np.square(1 - np.asarray(probabilities)).mean())


def _bins(probabilities: Floats, prompts: Sequence[Hashable]) -> list[Bin]:
    bins = []
    for number in np.unique(_bin(probabilities)).tolist():
        rows = np.flatnonzero(_bin(probabilities) == number)
        accuracy = rate(_correct(probabilities[rows]).tolist(), [prompts[row] for row in rows])
        low, high = 0.5 + number / (2 * BINS), 0.5 + (number + 1) / (2 * BINS)
        bins.append(Bin(low, high, float(_confidence(probabilities[rows]).mean()), accuracy))
    return bins


def _confidence(probabilities: Floats) -> Floats:
    return np.maximum(probabilities, 1 - probabilities)


def _correct(probabilities: Floats) -> Floats:
    """Whether the chosen response has the higher probability; half where both have the same."""
    return np.heaviside(probabilities - 0.5, 0.5)


def _bin(probabilities: Floats) -> NDArray[np.int64]:
    return np.minimum(BINS - 1, ((_confidence(probabilities) - 0.5) * 2 * BINS).astype(np.int64))
