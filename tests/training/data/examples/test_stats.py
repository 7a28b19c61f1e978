"""Figures about a JSFT set."""

from selfjudge_training.data.examples.jsft_set import JsftExample
from selfjudge_training.data.examples.stats import Lengths, measure, table
from selfjudge_training.data.records import PreferencePair


def dialogue(length: int, *, cut: bool = False) -> JsftExample:
    return JsftExample([0] * length, [index == 0 for index in range(length)], "dialogue", cut=cut)


EXAMPLES = [
    *(dialogue(length) for length in range(1, 20)),
    dialogue(30, cut=True),
    JsftExample([0, 0], [False, True], "judgment", "A", "honesty"),
    JsftExample([0, 0, 0], [False, True, True], "judgment", "B", "honesty"),
    JsftExample([0, 0, 0], [False, True, True], "judgment", "A"),
]
PAIRS = [PreferencePair([], *texts, category="flan") for texts in (("long", "s"), ("s", "long"), ("same", "size"))]


def test_lengths_by_kind_and_principle() -> None:
    lengths = measure(EXAMPLES, 22, PAIRS).lengths
    assert lengths == {
        "dialogue": Lengths(20, least=1, median=10, p95=19, most=30, total=220, targets=20, cut=1),
        "judgment, honesty": Lengths(2, least=2, median=2, p95=3, most=3, total=5, targets=3, cut=0),
        "judgment": Lengths(1, least=3, median=3, p95=3, most=3, total=3, targets=2, cut=0),
    }


def test_positions_lengths_and_categories() -> None:
    stats = measure(EXAMPLES, 22, PAIRS)
    assert stats.places == {"A": 2, "B": 1}
    assert stats.chosen_is_longer == 0.5
    lines = table(stats, 30)
    assert "2 dialogues have no target in it" in lines[4]
    assert "at A in 66.7% of 3 judgments" in lines[5]
    assert "longer response in 50.0% of 3 pairs" in lines[6]
    assert lines[7] == "categories of pairs: flan 3"


def test_a_set_of_dialogues_alone_has_no_figures_of_pairs() -> None:
    assert len(table(measure([dialogue(3)], 1, []), 30)) == 3
