"""Tasks, their graders, and the split into training and held-out problems."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.letters.tasks import (
    BEST_WRONG_GRADE,
    PHRASINGS,
    TASKS,
    Problem,
    Split,
    draw_problem,
    draw_problems,
    edit_distance,
    grade,
    split_of,
)

names = st.sampled_from(sorted(TASKS))
seeds = st.integers(0, 2**32)
words = st.text("ABC01", max_size=8)


def draw(name: str, seed: int) -> Problem:
    return draw_problem(name, random.Random(seed))


@given(names, seeds)
def test_the_right_answer_has_grade_1(name: str, seed: int) -> None:
    problem = draw(name, seed)
    assert grade(problem, problem.answer) == 1


@given(names, seeds, st.text(max_size=40))
def test_every_other_response_has_less(name: str, seed: int, response: str) -> None:
    problem = draw(name, seed)
    assert response == problem.answer or 0 <= grade(problem, response) <= BEST_WRONG_GRADE


@given(names, seeds, st.integers(0, 5))
def test_damaged_right_answers_have_less(name: str, seed: int, position: int) -> None:
    problem = draw(name, seed)
    damaged = problem.answer[:position] + "?" + problem.answer[position:]
    assert grade(problem, damaged) <= BEST_WRONG_GRADE


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_has_several_phrasings_and_uses_all_of_them(name: str) -> None:
    openings = {draw(name, seed).prompt.rstrip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.? ")[:9] for seed in range(200)}
    assert len(PHRASINGS[name]) >= 3
    assert len(openings) >= 3


@pytest.mark.parametrize(
    ("name", "solve"),
    [
        ("sort", lambda payload: "".join(sorted(payload))),
        ("reverse", lambda payload: payload[::-1]),
        ("add", lambda payload: str(sum(map(int, payload.split("+"))))),
        ("larger", lambda payload: str(max(map(int, payload.split(","))))),
        ("count", lambda payload: str(payload[2:].count(payload[0]))),
        ("remove", lambda payload: payload.partition(" from ")[2].replace(payload[0], "")),
    ],
)
def test_answers_are_right_by_a_second_way_of_computing_them(name: str, solve: object) -> None:
    assert callable(solve)
    for seed in range(200):
        problem = draw(name, seed)
        assert problem.answer == solve(problem.payload)


def test_a_nearly_sorted_list_beats_a_shuffled_one() -> None:
    problem = Problem("sort", "DBCA", "Sort these letters: DBCA", "ABCD")
    assert 1 > grade(problem, "ABDC") > grade(problem, "DCBA") >= grade(problem, "XYZXYZXYZ") == 0


def test_a_count_is_graded_by_its_distance() -> None:
    problem = Problem("count", "A in AAAB", "Count the letter A in AAAB", "3")
    assert 1 > grade(problem, "2") == grade(problem, "4") > grade(problem, "0") > grade(problem, "three") == 0


@given(words, words, words)
def test_edit_distance_is_a_metric(one: str, two: str, three: str) -> None:
    assert (edit_distance(one, two) == 0) == (one == two)
    assert edit_distance(one, two) == edit_distance(two, one)
    assert edit_distance(one, three) <= edit_distance(one, two) + edit_distance(two, three)


def test_problems_come_from_their_side_of_the_split_in_turn() -> None:
    for split in Split:
        stream = draw_problems(split, 3)
        drawn = [next(stream) for _ in range(60)]
        assert {split_of(problem) for problem in drawn} == {split}
        assert [problem.task for problem in drawn] == list(TASKS) * 10


def test_the_split_is_the_same_for_every_phrasing_and_order() -> None:
    one = Problem("add", "12+34", "What is 12 + 34?", "46")
    assert split_of(one) == split_of(one._replace(prompt="Add 34 and 12."))
    rng = random.Random(0)
    for _ in range(200):
        left, right = draw_problem("add", rng).payload.split("+")
        assert int(left) <= int(right)


def test_the_same_seed_draws_the_same_problems() -> None:
    one, two, other = draw_problems(Split.TRAIN, 1), draw_problems(Split.TRAIN, 1), draw_problems(Split.TRAIN, 2)
    first = [next(one) for _ in range(30)]
    assert first == [next(two) for _ in range(30)]
    assert first != [next(other) for _ in range(30)]
