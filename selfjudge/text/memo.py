"""Memory of what was made of texts: bounded in their number, and, as long ones are left out, in their size."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

_Made = TypeVar("_Made")

LONGEST: Final = 16_384
"""Characters of the longest text that is remembered. Answers are mostly shorter; one text of megabytes, kept for as
long as a thousand short ones, would be a leak."""


def remember(make: Callable[[str], _Made], texts: int) -> Callable[[str], _Made]:
    """`make`, which remembers what it made of the last so many texts of up to `LONGEST` characters."""
    cached = lru_cache(texts)(make)

    def made(text: str) -> _Made:
        return cached(text) if len(text) <= LONGEST else make(text)

    return made
