"""Picking among N of a pool in figures."""

from itertools import combinations

import numpy as np
import pytest

from experiments.smollm2.evidence.results.curves import ORACLE, RANDOM, Point, best_by, groups, less, picked, turn

RIGHT = [True, False, False, True, False]
VALUES = [0.1, 0.9, 0.5, 0.7, 0.5]


@pytest.mark.parametrize("size", range(1, 6))
def test_the_best_of_n_is_the_mean_over_all_subsets(size: int) -> None:
    picks = [RIGHT[max(some, key=lambda place: VALUES[place])] for some in combinations(range(5), size)]
    assert best_by(VALUES, RIGHT, size) == pytest.approx(np.mean(picks))


def test_equal_values_are_drawn_among_by_chance() -> None:
    assert best_by([0.0] * 5, RIGHT, 3) == pytest.approx(2 / 5)


def test_the_oracle_is_right_where_any_answer_is() -> None:
    assert best_by([float(one) for one in RIGHT], RIGHT, 4) == 1.0
    assert best_by([float(one) for one in RIGHT], RIGHT, 2) == pytest.approx(1 - 3 / 10)


def test_recovered_is_the_share_of_the_oracles_gain() -> None:
    curves = {
        RANDOM: {1: Point([0.2, 0.4]), 2: Point([0.2, 0.4])},
        "judge": {1: Point([0.2, 0.4]), 2: Point([0.4, 0.6], [100.0, 300.0])},
        ORACLE: {1: Point([0.2, 0.4]), 2: Point([0.6, 0.8])},
    }
    found = picked(curves)
    judge = found["judge"][2]
    assert judge.recovered is not None
    assert judge.recovered.mean == pytest.approx(0.5)
    assert judge.gain.mean == pytest.approx(0.2)
    assert judge.tokens == 200
    assert judge.per_thousand == pytest.approx(2.5)
    assert found["judge"][1].recovered is None  # the oracle gains nothing from one answer


def test_differences_are_paired_by_prompt() -> None:
    more, fewer = [0.1, 0.5, 0.9], [0.0, 0.4, 0.8]
    assert less(more, fewer)[:3] == pytest.approx((0.1, 0.1, 0.1))


def test_a_curve_turns_where_it_is_highest() -> None:
    found = turn({1: Point([0.1, 0.1]), 4: Point([0.5, 0.7]), 8: Point([0.4, 0.5])})
    assert (found.best, found.last) == (4, 8)
    assert found.loss.mean == pytest.approx(0.15)


def test_a_bracket_holds_groups_of_neighbours() -> None:
    assert list(groups([3, 1, 2, 0], 2)) == [[3, 1], [2, 0]]
    assert list(groups([3, 1, 2, 0], 8)) == []
