"""Ratings of checkable responses agree with truth, and their rationales with themselves."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selfjudge_training.data.formats.ultrafeedback import is_comparative

from experiments.letters.preferences.ratings import HEDGES, rate
from experiments.letters.preferences.wrong import edited
from experiments.letters.tasks import TASKS, Problem, draw_problem

SORT = Problem("sort", "DCBA", "Sort these letters: DCBA", "ABCD")
names, seeds = st.sampled_from(sorted(TASKS)), st.integers(0, 2**32)


def mean(problem: Problem, response: str) -> float:
    return sum(note.rating for note in rate(problem, response).values()) / 4


def ratings(problem: Problem, response: str) -> tuple[int, ...]:
    notes = rate(problem, response)
    keys = ("instruction_following", "honesty", "truthfulness", "helpfulness")
    return tuple(notes[key].rating for key in keys)


@given(names, seeds, st.sampled_from(("", *HEDGES)), st.sampled_from(("", *HEDGES)), st.text(max_size=12))
def test_a_right_response_is_rated_above_any_wrong_one(
    name: str, seed: int, hedge: str, other_hedge: str, text: str
) -> None:
    rng = random.Random(seed)
    problem = draw_problem(name, rng)
    for wrong in (text, edited(problem.answer, rng), problem.answer[::-1]):
        if wrong != problem.answer:
            assert mean(problem, hedge + problem.answer) > mean(problem, other_hedge + wrong)


@given(names, seeds, st.text(max_size=40))
def test_ratings_are_from_1_to_5_and_no_rationale_compares(name: str, seed: int, response: str) -> None:
    for note in rate(draw_problem(name, random.Random(seed)), response).values():
        assert note.rating in range(1, 6)
        assert note.rationale
        assert not is_comparative(note.rationale)


def test_the_principles_differ() -> None:
    assert ratings(SORT, "ABCD") == (5, 5, 5, 5)
    assert ratings(SORT, "I guess ABCD") == (5, 3, 5, 5)
    assert ratings(SORT, "ABDC") == (5, 1, 2, 3)
    assert ratings(SORT, "Perhaps XBCD") == (3, 4, 3, 1)
    assert ratings(SORT, "ABCDE") == (4, 1, 3, 4)


@pytest.mark.parametrize(
    ("problem", "response", "rating"),
    [
        (Problem("add", "12+34", "", "46"), "64", 5),
        (Problem("add", "12+34", "", "46"), "146", 2),
        (Problem("add", "12+34", "", "46"), "AB", 1),
        (Problem("larger", "12,34", "", "34"), "12", 5),
        (Problem("larger", "12,34", "", "34"), "13", 2),
        (Problem("count", "A in ABA", "", "2"), "3", 5),
        (Problem("count", "A in ABA", "", "2"), "4", 2),
        (Problem("count", "A in ABA", "", "2"), "²", 1),
        (Problem("remove", "A from ABC", "", "BC"), "ABC", 4),
    ],
)
def test_form_is_checked_by_task(problem: Problem, response: str, rating: int) -> None:
    assert rate(problem, response)["instruction_following"].rating == rating


def test_a_rationale_of_truthfulness_tells_the_answer() -> None:
    assert rate(SORT, "ABDC")["truthfulness"].rationale == "This is wrong: the answer is ABCD."
    assert rate(SORT, "ABCD")["truthfulness"].rationale == "This is right: the answer is ABCD."
