"""Figures about a JSFT set."""

from selfjudge_training.data.examples.jsft_example import JsftExample
from selfjudge_training.data.examples.stats import table
from selfjudge_training.data.records import PreferencePair


def dialogue(length: int, *, cut: bool = False) -> JsftExample:
    return JsftExample([0] * length, [index == 0 for index in range(length)], cut=cut)


EXAMPLES = [
    *(dialogue(length) for length in range(1, 20)),
    dialogue(1030, cut=True),
    JsftExample([0, 0], [False, True], "A", "honesty"),
    JsftExample([0, 0, 0], [False, True, True], "B", "honesty"),
    JsftExample([0, 0, 0], [False, True, True], "A"),
]
PAIRS = [PreferencePair([], *texts, category="flan") for texts in (("long", "s"), ("s", "long"), ("same", "size"))]


def test_figures_of_a_set() -> None:
    kinds, dialogues, principled, judgments, *lines = table(EXAMPLES, 22, PAIRS, 1030)
    assert kinds.split() == ["kind", "examples", "least", "median", "95%", "most", "tokens", "targets", "cut"]
    assert dialogues.split() == ["dialogue", "20", "1", "10", "19", "1,030", "1,220", "20", "1"]
    assert principled.split() == ["judgment,", "honesty", "2", "2", "2", "3", "3", "5", "3", "0"]
    assert judgments.split() == ["judgment", "1", "3", "3", "3", "3", "3", "2", "0"]
    assert lines == [
        "longest sequence: 1,030 tokens; 2 dialogues have no target in it: left out",
        "position balance: the better response is at A in 66.7% of 3 judgments",
        "length: chosen is the longer response in 50.0% of 3 pairs",
        "categories of pairs: flan 3",
    ]


def test_a_set_of_dialogues_alone_has_no_figures_of_pairs() -> None:
    assert len(table([dialogue(3)], 1, [], 30)) == 3


def test_figures_of_judgments_in_place() -> None:
    at_a = JsftExample([0, 0], [False, True], "A", question="pair")
    at_b = at_a._replace(choice="B")
    right = JsftExample([0, 0, 0], [False, False, True], "yes", replay=(0, 2), question="score")
    wrong = [JsftExample([0, 0], [False, True], "no", question="score")] * 3
    _, pairs, scores, *lines = table([at_a, at_b, right, *wrong], 0, [], 3, in_place=9)
    assert pairs.split() == ["pair", "in", "place", "2", "2", "2", "2", "2", "4", "2", "0"]
    assert scores.split() == ["score", "in", "place", "4", "2", "2", "3", "3", "9", "6", "0"]
    assert lines[1:] == [
        "in place: 3 judgments are longer than that: left out",
        "position balance: the better response is at A in 50.0% of 2 judgments",
        "scores: 'no' in 75.0%, 'yes' in 25.0% of 4",
    ]
