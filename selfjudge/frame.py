"""Trusted text with fields in it, encoded many times with other fillings.

A control token parts its neighbours: what stands on one side has no say in how the other is encoded. So everything
before the last control token in front of the fields, and behind the first one after them, is encoded once.
"""

from collections.abc import Iterable, Sequence

from selfjudge.tokens import SafeTokenizer


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

    def encode(self, rows: Iterable[Sequence[str]]) -> list[list[int]]:
        """Token ids of the text with the fields filled, for each row of fields. Fields are data."""
        inner = self._tokens.encode_batch([self._join(fields) for fields in rows])
        return [self._before + ids[self._shared :] + self._after for ids in inner]

    def _join(self, fields: Sequence[str]) -> str:
        opening, *rest = self._pieces
        return opening + "".join(field + piece for field, piece in zip(fields, rest, strict=True))
