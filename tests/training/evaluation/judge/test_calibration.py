"""Calibration error and Brier score against what they are by definition."""

import random

import pytest
from selfjudge_training.evaluation.judge.calibration import calibrate


@pytest.mark.parametrize(
    ("probabilities", "error"),
    [
        pytest.param([0.75, 0.75, 0.75, 0.25], 0.0, id="75% sure, and right three times of four"),
        pytest.param([0.9, 0.1], 0.4, id="90% sure, and right half of the time"),
        pytest.param([0.1, 0.6], (0.9 + 0.4) / 2, id="gaps of different bins do not cancel"),
    ],
)
def test_calibration_error_is_the_gap_between_confidence_and_accuracy(probabilities: list[float], error: float) -> None:
    found = calibrate(probabilities, range(len(probabilities))).expected_error
    assert found.mean == pytest.approx(error)
    assert found.low <= found.high


def test_a_judge_that_never_decides() -> None:
    calibration = calibrate([0.5] * 20, range(20))
    assert calibration.expected_error.mean == 0.0
    assert calibration.brier.mean == 0.25
    assert [one.accuracy.mean for one in calibration.bins] == [0.5]


def test_the_brier_score_is_that_of_the_truth() -> None:
    assert calibrate([1.0, 0.0, 0.5], range(3)).brier.mean == pytest.approx((0 + 1 + 0.25) / 3)


def test_bins_hold_every_comparison_once() -> None:
    rng = random.Random(0)
    probabilities = [0.0, 0.5, 1.0, *(rng.random() for _ in range(500))]
    bins = calibrate(probabilities, range(503)).bins
    assert sum(one.accuracy.observations for one in bins) == 503
    assert [one.low for one in bins] == sorted(one.low for one in bins)
    for one in bins:
        assert one.low - 1e-9 <= one.confidence <= one.high + 1e-9
        assert one.accuracy.low <= one.accuracy.mean <= one.accuracy.high


def test_random_guesses_are_found_out() -> None:
    rng = random.Random(0)
    estimate = calibrate([rng.random() for _ in range(400)], range(400)).expected_error
    # Sure by 3/4 on average, and right half of the time.
    assert estimate.mean == pytest.approx(0.25, abs=0.06)
    assert estimate.low < 0.25 < estimate.high + 0.05
