"""Tournaments of many prompts, and self-rejection over N with a judge whose taste is known."""

from selfjudge_training.evaluation.evaluation_config import SweepSection
from selfjudge_training.evaluation.judges import answer_judge
from selfjudge_training.evaluation.policies import Answer
from selfjudge_training.evaluation.policy.contests import winners
from selfjudge_training.evaluation.policy.policy_report import answer_figures, policy_report
from selfjudge_training.evaluation.policy.questions import Outputs, Question
from selfjudge_training.evaluation.policy.sweep import Sweep, run_sweep
from selfjudge_training.evaluation.report import plain
from selfjudge_training.rollouts.base import Sampling

from selfjudge import Comparison, RoundRobin
from tests.training.evaluation.fakes import Counting, Preferring

SAMPLING = Sampling(1.0, 1.0, 8)
QUESTIONS = [Question(("a",)), Question(("b",))]


def swept(
    policy: Counting,
    taste: Preferring,
    sizes: list[int],
    questions: list[Question],
    baseline: list[str] | None,
    groups: int = 1,
) -> Sweep:
    """Self-rejection where the judge of tournaments has the same taste as that of outputs."""
    against = Outputs("baseline", baseline) if baseline else None
    return run_sweep(SweepSection(sizes=sizes, groups=groups), policy, taste, taste, questions, against, SAMPLING, 0)


def means(sweep: Sweep, name: str) -> list[float]:
    """A figure by ascending N."""
    return [figures[name].mean for figures in sweep.figures.values()]


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
    sweep = swept(Counting(), taste, [4, 1, 2], QUESTIONS, ["- 2", "- 2"])
    assert sweep.picks == {1: ["a 0", "b 0"], 2: ["a 1", "b 1"], 4: ["a 3", "b 3"]}
    assert list(sweep.figures) == [1, 2, 4]
    assert means(sweep, "win_rate") == [0.0, 0.0, 1.0]
    assert means(sweep, "unfinished") == [1.0, 0.0, 0.0]
    assert means(sweep, "length") == [3.0, 3.0, 3.0]
    assert all("exact_match" not in figures for figures in sweep.figures.values())


def test_what_has_no_room_is_answered_by_nothing() -> None:
    def taste(text: str) -> float:
        return last_number(text) if text else -1.0

    questions = [Question(("a",)), Question(("b" * 20,))]
    sweep = swept(Counting(context=20), Preferring(taste), [1, 2], questions, ["- 0.5", "- 2"])
    assert sweep.picks == {1: ["a 0", ""], 2: ["a 1", ""]}
    assert means(sweep, "win_rate") == [0.0, 0.5]
    assert means(sweep, "unfinished") == [1.0, 0.5]


def test_all_disjoint_groups_are_measured_where_asked() -> None:
    sweep = swept(Counting(), Preferring(last_number), [1, 2, 4], QUESTIONS, ["- 2", "- 2"], groups=4)
    # Samples 0, 1, 2, 3 against 2: of single ones 3 wins and 2 ties; of pairs 1 and 3 are picked; of all, 3.
    assert means(sweep, "win_rate") == [1.5 / 4, 0.5, 1.0]
    assert [figures["win_rate"].observations for figures in sweep.figures.values()] == [8, 4, 2]


def test_without_a_baseline_the_policys_own_next_sample_is_the_rival() -> None:
    sweep = swept(Counting(), Preferring(last_number), [2], QUESTIONS, None)
    assert means(sweep, "win_rate") == [0.0]  # it is sample 2, and the pick is sample 1


def test_answers_judge_by_being_right() -> None:
    judge = answer_judge({"11 + 12?": "23"})
    asked = [{"role": "user", "content": "11 + 12?"}]
    verdicts = judge(
        [Comparison(asked, "23", "24"), Comparison(asked, "x", "23"), Comparison("11 + 12?", "24", "25")], "honesty"
    )
    assert [one.winner for one in verdicts] == ["A", "B", "tie"]


def test_exact_match_where_every_answer_is_known() -> None:
    questions = [Question(("a",), "x", "a 1"), Question(("b",), "y", "no")]
    given = [Answer("a 1", finished=True), Answer("b 1", finished=True)]
    results = policy_report("given", questions, given, {}).results["answers"]
    assert isinstance(results, dict)
    found = plain(results["exact_match"])
    assert found["overall"]["mean"] == 0.5
    assert {name: one["mean"] for name, one in found["by_category"].items()} == {"x": 1, "y": 0}
    assert means(swept(Counting(), Preferring(last_number), [2], questions, None), "exact_match") == [0.5]
    assert "exact_match" not in answer_figures([*questions[:1], Question(("b",))], given)
