"""Whether a judge's probabilities mean what they say: calibration error, Brier score, reliability by confidence.

A judge's confidence in its own choice lies between 1/2 and 1; a calibrated judge is right that often.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from selfjudge_training.evaluation.statistics import Estimate, bootstrap, bootstrap_means, rate

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
    """|confidence - accuracy| averaged over comparisons, each standing for its bin; by chance above 0 on small sets."""
    brier: Estimate
    """Mean squared distance of P(the chosen response is better) from the truth, which is 1."""
    bins: list[Bin]
    """Those that are not empty, by ascending confidence."""


def calibrate(probabilities: Sequence[float], prompts: Sequence[Hashable]) -> Calibration:
    """Calibration from P(the chosen response is better), one for each comparison; ``prompts``: what it belongs to."""
    values = np.asarray(probabilities)
    confidence = np.maximum(values, 1 - values)
    correct = np.heaviside(values - 0.5, 0.5)  # half where both responses have the same probability
    numbers = np.minimum(BINS - 1, ((confidence - 0.5) * 2 * BINS).astype(np.int64))
    gaps = (confidence - correct)[:, None] * (numbers[:, None] == np.arange(BINS))
    bins = []
    for number in np.unique(numbers).tolist():
        rows = np.flatnonzero(numbers == number)
        accuracy = rate(correct[rows].tolist(), [prompts[row] for row in rows])
        low, high = 0.5 + number / (2 * BINS), 0.5 + (number + 1) / (2 * BINS)
        bins.append(Bin(low, high, float(confidence[rows].mean()), accuracy))
    error = bootstrap_means(gaps, prompts, lambda means: float(np.abs(means).sum()))
    return Calibration(error, bootstrap(np.square(1 - values), prompts), bins)
