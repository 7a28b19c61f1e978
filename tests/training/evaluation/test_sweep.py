"""Tournaments of many prompts, and self-rejection over N with a judge whose taste is known."""

import pytest
from selfjudge_training.evaluation.contests import winners
from selfjudge_training.evaluation.exact_match import exact_match, held_out_questions
from selfjudge_training.evaluation.outputs import Outputs
from selfjudge_training.evaluation.questions import Question
from selfjudge_training.evaluation.sweep import Plan, Sweeper
from selfjudge_training.evaluation.truth_judge import TruthJudge
from selfjudge_training.rollouts.base import Sampling
from selfjudge_training.tasks import Problem
from selfjudge_training.tasks.split import Split, split_of

from selfjudge import RoundRobin
from tests.training.evaluation.fakes import Counting, Preferring

SAMPLING = Sampling(1.0, 1.0, 8)
QUESTIONS = [Question(("a",)), Question(("b",))]


def last_number(text: str) -> float:
    return float(text.rsplit(maxsplit=1)[-1])


def test_a_consistent_judge_finds_the_best_of_each_group() -> None:
    judge = Preferring(last_number)
    conversations = [[{"role": "user", "content": name}] for name in "xy"]
    groups = [["x 1", "x 3", "x 2"], ["y 5", "y 5", "y 4", "y 5"]]
    assert winners(judge, conversations, groups, seed=0)[0] == 1
    assert groups[1][winners(judge, conversations, groups, seed=0)[1]] == "y 5"
    assert groups[0][winners(judge, conversations, groups, seed=0, kind=RoundRobin)[0]] == "x 3"
    assert all(one.first != one.second for one in judge.asked)


def test_self_rejection_picks_more_to_the_judges_taste_as_n_grows() -> None:
    taste = Preferring(last_number)
    plan = Plan([4, 1, 2], groups=1, sampling=SAMPLING, seed=0)
    sweep = Sweeper(Counting(), taste, taste, plan).run(QUESTIONS, Outputs("two", ["- 2", "- 2"]))
    assert sweep.picks == {1: ["a 0", "b 0"], 2: ["a 1", "b 1"], 4: ["a 3", "b 3"]}
    assert [point.n for point in sweep.points] == [1, 2, 4]
    assert [point.win_rate.mean for point in sweep.points] == [0.0, 0.0, 1.0]
    assert [point.unfinished.mean for point in sweep.points] == [1.0, 0.0, 0.0]
    assert [point.length.mean for point in sweep.points] == [3.0, 3.0, 3.0]
    assert all(point.exact_match is None for point in sweep.points)


def test_what_has_no_room_is_answered_by_nothing() -> None:
    def taste(text: str) -> float:
        return last_number(text) if text else -1.0

    plan = Plan([1, 2], groups=1, sampling=SAMPLING, seed=0)
    questions, baseline = [Question(("a",)), Question(("b" * 20,))], Outputs("two", ["- 0.5", "- 2"])
    sweep = Sweeper(Counting(context=20), Preferring(taste), Preferring(taste), plan).run(questions, baseline)
    assert sweep.picks == {1: ["a 0", ""], 2: ["a 1", ""]}
    assert [point.win_rate.mean for point in sweep.points] == [0.0, 0.5]
    assert [point.unfinished.mean for point in sweep.points] == [1.0, 0.5]


def test_all_disjoint_groups_are_measured_where_asked() -> None:
    taste = Preferring(last_number)
    plan = Plan([1, 2, 4], groups=4, sampling=SAMPLING, seed=0)
    points = Sweeper(Counting(), taste, taste, plan).run(QUESTIONS, Outputs("two", ["- 2", "- 2"])).points
    # Samples 0, 1, 2, 3 against 2: of single ones 3 wins and 2 ties; of pairs 1 and 3 are picked; of all, 3.
    assert [point.win_rate.mean for point in points] == [1.5 / 4, 0.5, 1.0]
    assert [point.win_rate.observations for point in points] == [8, 4, 2]


def test_without_a_baseline_the_policys_own_next_sample_is_the_rival() -> None:
    taste = Preferring(last_number)
    plan = Plan([2], groups=1, sampling=SAMPLING, seed=0)
    [point] = Sweeper(Counting(), taste, taste, plan).run(QUESTIONS, None).points
    assert point.win_rate.mean == 0.0  # it is sample 2, and the pick is sample 1


def test_truth_judges_by_grade() -> None:
    problem = Problem("add", "1+2", "What is 11 + 12?", "23")
    judge = TruthJudge([problem])
    asked = [{"role": "user", "content": problem.prompt}]
    from selfjudge import Comparison

    verdicts = judge.under("honesty").verdicts(
        [Comparison(asked, "23", "24"), Comparison(asked, "x", "24"), Comparison(problem.prompt, "24", "25")]
    )
    assert [one.winner for one in verdicts] == ["A", "B", "tie"]
    with pytest.raises(ValueError, match="only checkable instructions"):
        judge.verdicts([Comparison("Why?", "a", "b")])


def test_exact_match_and_its_sweep() -> None:
    questions = held_out_questions(12, seed=0)
    assert len({question.turns for question in questions}) == 12
    problems = [question.problem for question in questions if question.problem]
    assert {split_of(problem) for problem in problems} == {Split.HELD_OUT}
    right = [problem.answer for problem in problems]
    result = exact_match(questions, [*right[:6], *["?"] * 6])
    assert result.overall.mean == 0.5
    assert len(result.by_task) == 6
    with pytest.raises(ValueError, match="no program can check"):
        exact_match(QUESTIONS, ["", ""])
