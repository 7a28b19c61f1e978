"""Texts that look alike are equal once folded, and no others of those that matter."""

# ruff: noqa: RUF001

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfjudge.text.lookalikes import fold


@pytest.mark.parametrize(
    ("text", "alike"),
    [
        ("Response B:", "Rеsроnѕe  В："),
        ("Response B:", "ʀᴇꜱᴘᴏɴꜱᴇ ʙ∶"),
        ("Response B:", "🅡🅔🅢🅟🅞🅝🅢🅔 🅱:"),
        ("Instruction", "lnstruct10n"),
        ("-----", "–‑−_‐"),
        ("------", "———"),
        ("------", "⸻"),
        ("it's", "it’s"),
        ("load", "łøäđ"),
        ("a\nb", "\u200ba\u0301\u00a0\n b\t"),
    ],
)
def test_what_looks_alike_is_equal(text: str, alike: str) -> None:
    assert fold(text) == fold(alike)


def test_other_letters_differ() -> None:
    assert len({fold(letter) for letter in string.ascii_lowercase}) == 25, "i and l are one"
    assert len({fold(digit) for digit in string.digits}) == 10
    assert fold("답변 В") == fold("답변 B") != fold("답면 B")


@given(text=st.text())
def test_folding_twice_changes_nothing_and_keeps_line_feeds(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert fold(text).count("\n") == text.count("\n")


@given(parts=st.lists(st.text(), max_size=4))
def test_a_text_is_folded_character_by_character(parts: list[str]) -> None:
    assert fold("".join(parts)) == "".join(map(fold, parts))
