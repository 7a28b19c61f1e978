"""Finds what JSON can say and vLLM can't send to its engine: integers of more than 64 bits, and lone surrogates.

vLLM encodes a request's options with msgpack only when it sends them, and then fails with an error of the server's.
"""

from typing import Any, Final

_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**64 - 1


def unsendable(value: Any) -> str | None:  # noqa: ANN401  any JSON
    """What would be accepted in place of the first part of a value that can't be sent; None if all of it can be."""
    match value:
        case int() if not _SMALLEST <= value <= _LARGEST:
            return "must hold no integer of more than 64 bits"
        case str() if not value.isascii() and not _is_text(value):
            return "must hold no lone surrogate (half of a character, such as \\ud800)"
        case list():
            return next(filter(None, map(unsendable, value)), None)
        case dict():
            return next(filter(None, map(unsendable, (*value, *value.values()))), None)
    return None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
