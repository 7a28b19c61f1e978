"""Figures, their intervals, and verdicts, on values whose answers are known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from selfjudge_training.evaluation.statistics import Estimate

from experiments.letters.tasks import Problem
from experiments.paper.claims import Claim, Part
from experiments.paper.figures import Values, estimate, win_rate

stacked: Callable[[list[list[float]]], Values] = np.array
PROBLEM = Problem("sort", "KDAZ", "Sort these letters: KDAZ", "ADKZ")


def test_the_interval_of_independent_trials_has_the_width_of_theory() -> None:
    values = stacked([[float(number % 4 == 0) for number in range(400)]])
    found = estimate((1.0, values))
    assert found.mean == 0.25
    error = math.sqrt(0.25 * 0.75 / 400)
    assert found.low == pytest.approx(0.25 - 1.96 * error, abs=0.001)
    assert found.high == pytest.approx(0.25 + 1.96 * error, abs=0.001)


def test_runs_that_differ_widen_the_interval_as_far_as_so_few_of_them_can_say() -> None:
    same = estimate((1.0, stacked([[0.5] * 100] * 3)))
    assert (same.low, same.high) == (0.5, 0.5)
    apart = estimate((1.0, stacked([[share] * 100 for share in (0.4, 0.5, 0.6)])))
    reach = 4.303 * 0.1 / math.sqrt(3)  # by Student's t with two degrees of freedom
    assert (apart.low, apart.high) == pytest.approx((0.5 - reach, 0.5 + reach), abs=1e-3)


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(300):
        seeds, instructions = rng.normal(0, 0.05, (3, 1)), rng.normal(0, 0.4, (1, 200))
        found = estimate((1.0, 0.5 + seeds + instructions + rng.normal(0, 0.2, (3, 200))))
        held += found.low <= 0.5 <= found.high
    assert 0.92 <= held / 300 <= 0.99


def test_a_difference_on_the_same_instructions_is_paired() -> None:
    hardness = np.random.default_rng(0).random((1, 200))
    found = estimate((1.0, hardness + 0.1), (-1.0, hardness))
    assert tuple(found) == pytest.approx((0.1, 0.1, 0.1, 200))


def test_gains_of_gains() -> None:
    levels = [stacked([[level] * 50]) for level in (0.2, 0.5, 0.6)]
    first_less_last = estimate((2.0, levels[1]), (-1.0, levels[0]), (-1.0, levels[2]))
    assert first_less_last.mean == pytest.approx(0.3 - 0.1)


def test_every_answer_meets_every_one_of_the_baseline() -> None:
    answers = ["ADKZ", "ADKZ", "ADKX", "I guess ADKX"]
    assert win_rate(PROBLEM, answers, ["ADKX"]) == (1 + 1 + 0.5 + 1) / 4
    assert win_rate(PROBLEM, ["ADKX"], ["ADKZ"]) == 0
    assert win_rate(PROBLEM, ["ADKZ", "ADKX"], ["ADKX", "ADKZ"]) == 0.5
    assert win_rate(PROBLEM, ["ADKZ"], ["ADKX", "ADKZ"]) == 0.75


def effect(low: float, high: float) -> Part:
    return Part("", Estimate((low + high) / 2, low, high, 10))


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ([effect(0.1, 0.2), effect(0.01, 0.3)], "holds"),
        ([effect(0.1, 0.2), effect(-0.01, 0.3)], "holds in part"),
        ([effect(-0.1, 0.2)], "not shown"),
        ([effect(-0.2, -0.1)], "does not hold"),
        ([effect(-0.2, -0.1), effect(0.1, 0.2)], "does not hold as a whole"),
    ],
)
def test_a_claim_holds_where_all_intervals_lie_above_0(parts: list[Part], verdict: str) -> None:
    assert Claim("", parts).verdict == verdict
