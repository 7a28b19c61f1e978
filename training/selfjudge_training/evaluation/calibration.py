"""Whether a judge's probabilities mean what they say: calibration error, Brier score, reliability by confidence.

A judge's confidence in its own choice lies between 1/2 and 1; a calibrated judge is right that often. Leaves out how to
make a judge calibrated: the method only needs its order (section 3.1).
"""

from collections.abc import Hashable, Sequence
from math import fsum
from typing import NamedTuple

from selfjudge_training.evaluation.statistics import Estimate, bootstrap_statistic, rate

BINS = 10
"""Of equal width, from confidence 1/2 to 1."""


class Bin(NamedTuple):
    """Comparisons of like confidence."""

    low: float
    high: float
    confidence: float
    """Mean confidence in the judge's own choice."""
    accuracy: Estimate
    """How often that choice is the right one."""


class Calibration(NamedTuple):
    """Both scores are 0 at best; a judge that always says 1/2 has calibration error 0 and Brier score 1/4."""

    expected_error: Estimate
    """Expected calibration error: |confidence - accuracy| averaged over comparisons, by `BINS` bins.

    Chance alone keeps it above 0 even for a calibrated judge, the more so the fewer the comparisons, and the interval,
    made of resamples with chance of their own on top, lies a little too high for the same reason.
    """
    brier: Estimate
    """Mean of (1 - P(the chosen response is better)) squared."""
    bins: list[Bin]
    """Those that are not empty, by ascending confidence."""


def calibrate(probabilities: Sequence[float], prompts: Sequence[Hashable]) -> Calibration:
    """Calibration from P(the chosen response is better), one for each comparison; ``prompts``: what it belongs to."""
    return Calibration(
        bootstrap_statistic(probabilities, prompts, expected_calibration_error),
        bootstrap_statistic(probabilities, prompts, brier_score),
        _bins(probabilities, prompts),
    )


def expected_calibration_error(probabilities: Sequence[float]) -> float:
    """|confidence - accuracy| averaged over all comparisons, each standing for its bin."""
    gaps = [0.0] * BINS
    for probability in probabilities:
        gaps[_bin(probability)] += _confidence(probability) - _correct(probability)
    return fsum(map(abs, gaps)) / len(probabilities)


def brier_score(probabilities: Sequence[float]) -> float:
    """Mean squared distance from the truth, which is 1: the chosen response is the better one."""
    return fsum((1 - probability) ** 2 for probability in probabilities) / len(probabilities)


def _bins(probabilities: Sequence[float], prompts: Sequence[Hashable]) -> list[Bin]:
    bins = []
    for number in range(BINS):
        rows = [(p, prompt) for p, prompt in zip(probabilities, prompts, strict=True) if _bin(p) == number]
        if rows:
            accuracy = rate([_correct(p) for p, _ in rows], [prompt for _, prompt in rows])
            confidence = fsum(_confidence(p) for p, _ in rows) / len(rows)
            bins.append(Bin(0.5 + number / (2 * BINS), 0.5 + (number + 1) / (2 * BINS), confidence, accuracy))
    return bins


def _confidence(probability: float) -> float:
    return max(probability, 1 - probability)


def _correct(probability: float) -> float:
    """Whether the chosen response has the higher probability; half where both have the same."""
    return 0.5 if probability == 0.5 else float(probability > 0.5)


def _bin(probability: float) -> int:
    return min(BINS - 1, int((_confidence(probability) - 0.5) * 2 * BINS))
