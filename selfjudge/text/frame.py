"""Trusted text with fields in it, encoded many times with other fillings.

A control token separates its neighbours: the text on one side does not change how the other is encoded. So everything
before the last control token in front of the fields, and behind the first one after them, is encoded once. And where
the text between the first field and the second can be cut (joint.py), all up to the cut is encoded once for each
filling of the first field: the head.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from selfjudge.text.joint import Joint, last_joint
from selfjudge.text.tokens import SafeTokenizer

_TRIALS = ("", "x", "1 2\n", "Say it: 'b'.")


class Head(NamedTuple):
    """The first field filled, up to the cut."""

    field: str
    ids: list[int] | None
    """None where there is no cut."""


class Frame:
    """Pieces of trusted text around n fields, n + 1 of them, control tokens under their real names."""

    def __init__(self, tokens: SafeTokenizer, pieces: Sequence[str]) -> None:
        self._tokens = tokens
        opening, *between, closing = pieces
        before, after = tokens.controls(opening), tokens.controls(closing)
        start, kept_from = before[-1] if before else (0, 0)
        kept_to, end = after[0] if after else (len(closing), len(closing))
        self._pieces = [tokens.trusted(piece) for piece in (opening[start:], *between, closing[:end])]
        self._before = tokens.encode(tokens.trusted(opening[:kept_from]))
        self._after = tokens.encode(tokens.trusted(closing[kept_to:]))[len(after[:1]) :]
        self._shared = len(before[-1:])
        self._joint: Joint | None = None
        if between and not tokens.controls(between[0]):
            self._joint = last_joint(between[0], tokens.word_ends)
        if self._joint:
            self._repeated = len(tokens.encode(self._joint.word))
            if not self._holds():
                self._joint = None

    def _holds(self) -> bool:
        """Whether the cut gives the ids of the whole in a few trials: what joint.py knows by name may have options."""
        rows = [[trial] * (len(self._pieces) - 1) for trial in _TRIALS]
        return self.encode((head, row[1:]) for head, row in zip(self.heads(_TRIALS), rows, strict=True)) == self.encode(
            (Head(row[0], None), row[1:]) for row in rows
        )

    def heads(self, fields: Iterable[str]) -> list[Head]:
        """The first field filled with each of these, which are data."""
        fields = list(fields)
        if self._joint is None:
            return [Head(field, None) for field in fields]
        inner = self._tokens.encode_batch([self._pieces[0] + field + self._joint.left for field in fields])
        return [Head(field, self._before + ids[self._shared :]) for field, ids in zip(fields, inner, strict=True)]

    def encode(self, rows: Iterable[tuple[Head, Sequence[str]]]) -> list[list[int]]:
        """Token ids of the text with the fields filled, for each row of a head and the other fields, which are data."""
        rows = list(rows)
        inner = self._tokens.encode_batch([self._text(head, fields) for head, fields in rows])
        return [
            (self._before + ids[self._shared :] if head.ids is None else head.ids + ids[self._repeated :]) + self._after
            for (head, _), ids in zip(rows, inner, strict=True)
        ]

    def _text(self, head: Head, fields: Sequence[str]) -> str:
        opening, *rest = self._pieces
        if head.ids is None or self._joint is None:
            start, filled = opening, (head.field, *fields)
        else:
            start, filled, rest = self._joint.word + self._joint.right, tuple(fields), rest[1:]
        return start + "".join(field + piece for field, piece in zip(filled, rest, strict=True))
