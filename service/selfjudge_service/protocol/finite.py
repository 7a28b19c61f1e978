"""Answers as JSON, which has no NaN and no infinity: where the numbers of an answer are such, its model has failed."""

import json
from typing import Any, Final

from selfjudge_service.protocol.errors import NotFiniteError

# How Python's encoder begins what it says of them.
_REFUSED: Final = "Out of range float values"


def dumps(content: Any) -> str:  # noqa: ANN401  any JSON
    """Content as JSON.

    Raises:
        NotFiniteError: if it holds a number that JSON has not.
    """
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise told(error) or error from error


def told(error: Exception) -> NotFiniteError | None:
    """The error to answer with, where an encoder of JSON has met such a number."""
    return NotFiniteError() if isinstance(error, ValueError) and str(error).startswith(_REFUSED) else None
