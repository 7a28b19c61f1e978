"""The figures of judges whose merits are known."""

from collections.abc import Sequence

import pytest
from selfjudge_training.data.records import PreferencePair
from selfjudge_training.evaluation.judge.judge_report import evaluate_judge
from selfjudge_training.evaluation.judges import Judgment
from selfjudge_training.evaluation.statistics import Estimate

from selfjudge import Comparison
from tests.training.evaluation.fakes import Preferring, judgment


def pair(prompt: str, chosen: str, rejected: str, category: str = "", principle: str | None = None) -> PreferencePair:
    return PreferencePair([{"role": "user", "content": prompt}], chosen, rejected, principle, category=category)


class Scripted:
    """Says what it is given, in turn."""

    def __init__(self, judgments: Sequence[Judgment]) -> None:
        self._judgments = list(judgments)

    def __call__(self, comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:
        return [self._judgments.pop(0) for _ in comparisons]


def test_a_judge_that_prefers_the_longer_is_right_where_longer_is_better() -> None:
    pairs = [pair("x", "long answer", "short", "wordy"), pair("y", "no", "nonsense", "terse")]
    result = evaluate_judge(Preferring(len), pairs)
    assert result.overall["accuracy"].mean == 0.5
    assert {name: one["accuracy"].mean for name, one in result.by_category.items()} == {"terse": 0.0, "wordy": 1.0}
    assert result.overall["position_consistency"].mean == 1.0
    assert result.overall["flip_rate"].mean == 0.0
    assert result.overall["label_mass"].mean == pytest.approx(0.9)


def test_a_judge_that_always_takes_place_a_is_at_chance_and_flips() -> None:
    judged = evaluate_judge(Scripted([judgment(0.8, 0.2)] * 3), [pair(name, "+", "-") for name in "xyz"])
    assert judged.overall["accuracy"].mean == 0.5
    assert judged.overall["ties"].mean == 1.0
    assert judged.overall["flip_rate"].mean == 1.0
    assert judged.overall["position_consistency"].mean == 0.0
    assert judged.overall["place_a"].mean == pytest.approx(0.8)


def test_an_undecided_order_is_inconsistent_but_no_flip() -> None:
    judged = evaluate_judge(Scripted([judgment(1.0, 0.5)]), [pair("x", "+", "-")])
    assert judged.overall["accuracy"].mean == 1.0
    assert judged.overall["position_consistency"].mean == 0.0
    assert judged.overall["flip_rate"].mean == 0.0


def test_each_pair_is_judged_under_its_principle_and_keeps_its_place() -> None:
    pairs = [
        pair("x", "aaa", "b", principle="honesty"),
        pair("y", "a", "bbb"),
        pair("z", "aaa", "b", "other", "honesty"),
    ]
    panel = Preferring(len)
    result = evaluate_judge(panel, pairs)
    assert panel.principles == ["honesty", None]
    assert [one.conversation[0]["content"] for one in panel.asked if not isinstance(one.conversation, str)] == [*"xzy"]
    assert {name: one["accuracy"].mean for name, one in result.by_category.items()} == {"": 0.5, "other": 1.0}


def test_a_taste_for_short_answers_is_shown_beside_what_it_is_worth() -> None:
    pairs = [pair("x", "aa", "b"), pair("y", "aa", "b"), pair("z", "a", "bb"), pair("w", "a", "b")]
    short = evaluate_judge(Preferring(lambda text: -len(text)), pairs).overall
    assert short["picks_shorter"].mean == pytest.approx(3.5 / 4)
    assert short["accuracy"].mean == short["chosen_shorter"].mean == pytest.approx(1.5 / 4)
    long = evaluate_judge(Preferring(len), pairs).overall
    assert long["picks_shorter"].mean == pytest.approx(0.5 / 4)


def test_one_category_has_no_table_of_its_own() -> None:
    assert evaluate_judge(Preferring(len), [pair("x", "aa", "b")]).by_category == {}


def test_intervals_are_over_prompts() -> None:
    def accuracy(pairs_per_prompt: int) -> Estimate:
        prompts = [number // pairs_per_prompt for number in range(40)]
        pairs = [pair(str(n), *(("aa", "b") if n % 2 else ("a", "bb"))) for n in prompts]
        return evaluate_judge(Preferring(len), pairs).overall["accuracy"]

    narrow, wide = accuracy(1), accuracy(4)
    assert narrow.mean == wide.mean == 0.5
    assert wide.high - wide.low > narrow.high - narrow.low


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(ValueError, match="without a preference pair"):
        evaluate_judge(Preferring(len), [])
