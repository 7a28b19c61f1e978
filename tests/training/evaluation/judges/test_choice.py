"""How a judge's words are read: by the letter they begin with, behind any reasoning."""

import pytest
from selfjudge_training.evaluation.judges.choice import read_choice


@pytest.mark.parametrize(
    ("answer", "choice"),
    [
        ("A", "A"),
        (" B.\n", "B"),
        ("**B**", "B"),
        ("[[A]]", "A"),
        ("Response B", "B"),
        ("**Answer:** B", "B"),
        ("Assistant A.", "A"),
        ("B. Response A is off topic.", "B"),
        ("**A**: Response B repeats itself.", "A"),
        ("A\n\nResponse B is longer.", "A"),
        ("B - Response A is wrong.", "B"),
        ("<think>Response A is off topic. A? No: A is worse.</think>\n\nB", "B"),
        ("Response A looks good, but [[A]] is not it.\n</think>\nB", "B"),
        ("<think>A</think>B<think>A", "B"),
        ("[THINK]A[/THINK]B", "B"),
        ("◁think▷A◁/think▷B", "B"),
        ("<THINKING>\nA\n</THINKING>\nB", "B"),
        ("<think>\nA", None),
        ("<think>A</think>", None),
        ("Response A is better, since Response A answers.", None),
        ("Response A is worse than Response B.", None),
        ("A is worse.", None),
        ("Both: [[A]] and [[B]].", None),
        ("A good question.", None),
        ("A-level answers both.", None),
        ("A's answer", None),
        ("A/B", None),
        ("Answers differ", None),
        ("a", None),
        ("", None),
        ("C", None),
    ],
)
def test_reading_a_choice(answer: str, choice: str | None) -> None:
    assert read_choice(answer) == choice


def test_the_words_that_a_judgment_begins_with_are_dropped() -> None:
    assert read_choice("<think>A</think>\nSure! It is Assistant B, as A errs.", "Sure! It is Assistant ") == "B"
    assert read_choice("Sure! It is Assistant B") is None
