"""Intervals: which one is taken when, and that dependence between rows of one prompt widens it."""

import numpy as np
import pytest
from selfjudge_training.evaluation.statistics import bootstrap, bootstrap_means, rate, wilson


def test_yes_and_no_on_prompts_of_one_row_get_wilsons_interval() -> None:
    values = [1.0] * 8 + [0.0] * 2
    assert rate(values, range(10)) == wilson(value == 1.0 for value in values)


def test_wilson_leaves_doubt_where_all_say_the_same() -> None:
    assert rate([1.0] * 5, range(5)).low < 0.6


def test_rows_of_one_prompt_count_as_one_observation_of_it() -> None:
    values = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0] * 5
    alone = rate(values, range(40))
    together = rate(values, [number // 4 for number in range(40)])
    assert alone.mean == together.mean == 0.5
    assert together.observations == 40
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_half_points_are_resampled() -> None:
    estimate = rate([0.5, 1.0, 0.5, 0.0], range(4))
    assert estimate.low <= estimate.mean == 0.5 <= estimate.high


def test_any_statistic_of_means_is_resampled_by_prompt() -> None:
    rows = np.arange(50.0).reshape(-1, 1)
    of_squares = bootstrap_means(rows, range(50), lambda means: float(means[0] ** 2))
    plain = bootstrap(rows)
    assert of_squares == pytest.approx((plain.mean**2, plain.low**2, plain.high**2, 50))
    assert bootstrap_means(rows, ["one"] * 50, lambda means: float(means[0])) == (24.5, 24.5, 24.5, 50)


def test_prompts_are_weighted_by_their_rows() -> None:
    assert rate([1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"]).mean == 0.75


def test_nothing_has_no_estimate() -> None:
    with pytest.raises(ValueError, match="not less than 1"):
        rate([], [])
    with pytest.raises(ValueError, match="at least one row"):
        bootstrap([])
