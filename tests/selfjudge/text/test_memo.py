"""What is remembered, and what is too long to be."""

from selfjudge.text.memo import LONGEST, remember


def test_short_texts_are_remembered_and_long_ones_made_again() -> None:
    made: list[int] = []

    def make(text: str) -> int:
        made.append(len(text))
        return len(text)

    remembering = remember(make, 8)
    for length in (3, 3, LONGEST, LONGEST, LONGEST + 1, LONGEST + 1):
        assert remembering("x" * length) == length
    assert made == [3, LONGEST, LONGEST + 1, LONGEST + 1]
