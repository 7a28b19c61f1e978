"""Readings and verdicts (section 3.1)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfjudge import PrincipleVerdict, Reading, ReadingError, Verdict

LOGPROBS = st.floats(-50, 0)
READINGS = st.builds(Reading, LOGPROBS, LOGPROBS)
PAIRS = st.tuples(READINGS, READINGS)


def reading(preference: float, mass: float = 0.9) -> Reading:
    """A judge that says A with this probability, given that it says A or B."""
    return Reading(math.log(mass * preference), math.log(mass * (1 - preference)))


def verdict(*orders: tuple[float, float]) -> Verdict:
    """Under each principle: P(A) with the first response at place A, and with it at place B."""
    return Verdict.of(PrincipleVerdict(f"p{i}", reading(at_a), reading(at_b)) for i, (at_a, at_b) in enumerate(orders))


def test_a_reading() -> None:
    assert reading(0.8, 0.5).preference == pytest.approx(0.8)
    assert reading(0.8, 0.5).label_mass == pytest.approx(0.5)


@given(reading=READINGS)
def test_preference_is_the_sigmoid_of_the_difference(reading: Reading) -> None:
    assert reading.preference == pytest.approx(1 / (1 + math.exp(reading.logprob_b - reading.logprob_a)))


def test_a_judge_that_gives_no_letter_any_probability_leans_nowhere() -> None:
    silent = Reading(-math.inf, -math.inf)
    assert (silent.preference, silent.label_mass) == (0.5, 0.0)
    assert Reading(-math.inf, -1.0).preference == 0.0


@pytest.mark.parametrize("logprobs", [(math.nan, -1.0), (-1.0, math.nan), (0.1, -1.0)])
def test_what_is_no_logprob_is_refused(logprobs: tuple[float, float]) -> None:
    with pytest.raises(ReadingError, match=r"logprobs must be numbers of at most 0, not .* NaN"):
        Reading(*logprobs)


def test_both_orders_are_averaged() -> None:
    one = verdict((0.9, 0.3))
    assert one.orders == pytest.approx((0.9, 0.7))
    assert one.probability_a == pytest.approx(0.8)
    assert (one.winner, one.consistent, one.win_rate) == ("A", True, 1.0)
    assert one.label_mass == pytest.approx(0.9)
    assert one.principles[0].probability_a == pytest.approx(0.8)
    assert one.principles[0].orders == pytest.approx((0.9, 0.7))
    assert one.principles[0].consistent


def test_position_bias_is_inconsistent() -> None:
    biased = verdict((0.9, 0.8))
    assert biased.probability_a == pytest.approx(0.55)
    assert (biased.winner, biased.consistent) == ("A", False)
    assert not biased.principles[0].consistent


def test_a_judge_that_only_sees_places_ties() -> None:
    same = reading(0.9)
    tied = Verdict.of([PrincipleVerdict(None, same, same)])
    assert (tied.winner, tied.probability_a, tied.win_rate, tied.consistent) == ("tie", 0.5, 0.5, False)


def test_the_win_rate_across_principles_decides() -> None:
    judged = verdict((0.55, 0.45), (0.55, 0.45), (0.01, 0.99))
    assert judged.winner == "A"
    assert judged.win_rate == pytest.approx(2 / 3)
    assert judged.probability_a < 0.5
    assert [one.winner for one in judged.principles] == ["A", "A", "B"]


def test_a_tie_of_principles_is_decided_by_the_mean_likelihood() -> None:
    judged = verdict((0.9, 0.1), (0.4, 0.6))
    assert (judged.winner, judged.win_rate) == ("A", 0.5)


def test_what_is_left_is_a_tie() -> None:
    even, leaning = reading(0.5), reading(0.8)
    mirrored = Reading(leaning.logprob_b, leaning.logprob_a)
    judged = Verdict.of([PrincipleVerdict("p", leaning, even), PrincipleVerdict("q", mirrored, even)])
    assert (judged.winner, judged.win_rate, judged.probability_a) == ("tie", 0.5, 0.5)


def test_orders_that_decide_differently_under_principles_are_inconsistent() -> None:
    assert not verdict((0.9, 0.6), (0.8, 0.7)).consistent


def test_nothing_read_is_no_verdict() -> None:
    with pytest.raises(ReadingError, match="at least one principle"):
        Verdict.of([])


@given(pairs=st.lists(PAIRS, min_size=1, max_size=4))
def test_swapping_the_responses_mirrors_the_verdict(pairs: list[tuple[Reading, Reading]]) -> None:
    forward = Verdict.of(PrincipleVerdict(None, at_a, at_b) for at_a, at_b in pairs)
    backward = Verdict.of(PrincipleVerdict(None, at_b, at_a) for at_a, at_b in pairs)
    assert backward.winner == {"A": "B", "B": "A", "tie": "tie"}[forward.winner]
    assert backward.probability_a - 0.5 == pytest.approx(0.5 - forward.probability_a)
    assert backward.win_rate == pytest.approx(1 - forward.win_rate)
    assert backward.consistent == forward.consistent
    assert backward.label_mass == pytest.approx(forward.label_mass)
    assert backward.orders == pytest.approx((1 - forward.orders.first_at_b, 1 - forward.orders.first_at_a))
