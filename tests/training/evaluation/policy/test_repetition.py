"""The share of 4-grams that come again."""

import pytest
from selfjudge_training.evaluation.policy.policy_report import repetition


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0.0),
        ("one two three", 0.0),
        ("one two three four five six", 0.0),
        ("a a a a a a", 2 / 3),  # three 4-grams, one of them new
        ("a b c d a b c d", 1 / 5),  # abcd bcda cdab dabc abcd
        ("a  b\nc d", 0.0),
    ],
)
def test_repetition(text: str, share: float) -> None:
    assert repetition(text) == pytest.approx(share)
