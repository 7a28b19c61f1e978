"""Tournaments of many prompts, and self-rejection over N with a judge whose taste is known."""

from selfjudge_training.evaluation.judges.judgment import AnswerJudge
from selfjudge_training.evaluation.policy.contests import winners
from selfjudge_training.evaluation.policy.policies import Answer
from selfjudge_training.evaluation.policy.policy_figures import answer_figures
from selfjudge_training.evaluation.policy.questions import Outputs, Question
from selfjudge_training.evaluation.policy.sweep import Plan, Sweeper
from selfjudge_training.rollouts.base import Sampling

from selfjudge import Comparison, RoundRobin
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


def test_answers_judge_by_being_right() -> None:
    judge = AnswerJudge({"11 + 12?": "23"})
    asked = [{"role": "user", "content": "11 + 12?"}]
    verdicts = judge.verdicts(
        [Comparison(asked, "23", "24"), Comparison(asked, "x", "23"), Comparison("11 + 12?", "24", "25")], "honesty"
    )
    assert [one.winner for one in verdicts] == ["A", "B", "tie"]


def test_exact_match_where_every_answer_is_known() -> None:
    questions = [Question(("a",), "x", "a 1"), Question(("b",), "y", "no")]
    given = [Answer("a 1", finished=True), Answer("b 1", finished=True)]
    found = answer_figures(questions, given).exact_match
    assert found is not None
    assert (found.overall.mean, {name: one.mean for name, one in found.by_category.items()}) == (0.5, {"x": 1, "y": 0})
    taste = Preferring(last_number)
    [point] = Sweeper(Counting(), taste, taste, Plan([2], 1, SAMPLING, 0)).run(questions, None).points
    assert point.exact_match is not None
    assert point.exact_match.mean == 0.5
    assert answer_figures([*questions[:1], Question(("b",))], given).exact_match is None
