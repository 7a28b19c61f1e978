"""Answers as JSON, which has no NaN and no infinity: where the numbers of an answer are such, its model has failed."""

import json
from typing import Any, Final

from fastapi import Request, Response
from vllm.entrypoints.serve.exception_handling.handlers.exception import exception_handler

from selfjudge_service.protocol.errors import NotFiniteError, api_error_response

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


async def handle_value_error(request: Request, error: Exception) -> Response:
    """Exception handler to register for `ValueError`, which vLLM's takes for the caller's whatever it is."""
    if not_finite := told(error):
        return api_error_response(not_finite)
    answer: Response = await exception_handler(request, error)
    return answer
