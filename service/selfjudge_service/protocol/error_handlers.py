"""What an application answers to errors of any route: OpenAI's shape, and the caller's words.

vLLM's own handlers keep what they say well: unknown models, prompts beyond the context, engines that died.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from traceback import walk_tb
from types import TracebackType
from typing import Any, Final, TypeAlias

from fastapi import FastAPI, Request, Response
from fastapi.dependencies.utils import solve_dependencies
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from vllm.entrypoints.serve import create_error_response
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.entrypoints.serve.exception_handling.handlers.exception import exception_handler

from selfjudge_service.protocol.errors import (
    ApiError,
    NotFiniteError,
    WrongMethodError,
    api_error_response,
    no_such_route,
    unreadable_value,
)
from selfjudge_service.protocol.validation import first_problem, problem_with

_LOG = logging.getLogger(__name__)
_Handler: TypeAlias = Callable[[Request, Any], Awaitable[Response]]
# Begins the message of Python's JSON encoder about NaN and infinity.
_REFUSED: Final = "Out of range float values"
# Where a body is read: by FastAPI, and for /invocations, which tries one kind of request after the other.
_READING_A_BODY: Final = frozenset({solve_dependencies.__code__, TypeAdapter.validate_python.__code__})


def answer_errors(app: FastAPI) -> None:
    """Sets the handlers; to be called again after vLLM, which calls plugins first, has set its own over some."""
    handlers: dict[type[Exception], _Handler] = {
        ApiError: _handle_api_error,
        HTTPException: _handle_http_error,
        RequestValidationError: _handle_invalid_request,
        ValidationError: _handle_invalid_part,
        ValueError: _handle_value_error,
        AttributeError: _handle_type_error,
        LookupError: _handle_type_error,
        RecursionError: _handle_type_error,
        TypeError: _handle_type_error,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, _logging(handler))


def _logging(handler: _Handler) -> _Handler:
    """Obeys --log-error-stack, as vLLM's handlers do."""

    async def logged(request: Request, error: Exception) -> Response:
        if request.app.state.args.log_error_stack:
            _LOG.error("a request is answered with an error", exc_info=error)
        return await handler(request, error)

    return logged


def error_response(error: Exception, body: object = None) -> ErrorResponse:
    """VLLM's answer to an error, in the caller's words where pydantic has said it and the body is at hand."""
    if isinstance(error, ValidationError):
        return ErrorResponse.model_validate(problem_with(error.errors(), body).body())
    return create_error_response(error)


def unreadable(error: HTTPException) -> ApiError:
    """The error for JSON that Python can't hold: nested too deep, an integer too long."""
    return ApiError(f"the body can't be parsed: {error.__cause__ or error.detail}", "body")


def dumps(content: Any) -> str:  # noqa: ANN401  any JSON
    """Content as JSON.

    Raises:
        NotFiniteError: if it holds a number that JSON has not.
    """
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise not_finite(error) or error from error


def not_finite(error: Exception) -> NotFiniteError | None:
    """The error to answer with, where an encoder of JSON has met such a number."""
    return NotFiniteError() if isinstance(error, ValueError) and str(error).startswith(_REFUSED) else None


async def _handle_api_error(_request: Request, error: ApiError) -> Response:
    return api_error_response(error)


async def _handle_http_error(request: Request, error: HTTPException) -> Response:
    """Refusals of the frameworks; those of vLLM's routes are of a class of their own, with a handler of vLLM's."""
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            told: ApiError = no_such_route(request.method, request.url.path)
        case HTTPStatus.METHOD_NOT_ALLOWED:
            told = WrongMethodError(request.method, request.url.path, (error.headers or {}).get("Allow", ""))
        case HTTPStatus.BAD_REQUEST:
            told = unreadable(error)
        case _:
            raise error
    return api_error_response(told)


async def _handle_invalid_request(_request: Request, error: RequestValidationError) -> Response:
    return api_error_response(first_problem(error))


async def _handle_invalid_part(request: Request, error: ValidationError) -> Response:
    """What vLLM finds wrong while it makes its own objects of a body that has been read."""
    return api_error_response(problem_with(error.errors(), getattr(request, "_json", None)))


async def _handle_value_error(request: Request, error: ValueError) -> Response:
    """Answers NaN with a 500; vLLM's handler answers every `ValueError` with a 400."""
    told = not_finite(error)
    return api_error_response(told) if told else await _vllms(request, error)


async def _handle_type_error(request: Request, error: Exception) -> Response:
    """Makes a 400 of what vLLM's validators raise when they walk into a field of an unexpected type or depth."""
    if _raised_while_reading(error.__traceback__):
        return api_error_response(unreadable_value(error))
    if isinstance(error, TypeError):
        return await _vllms(request, error)
    raise error


async def _vllms(request: Request, error: Exception) -> Response:
    answer: Response = await exception_handler(request, error)
    return answer


def _raised_while_reading(traceback: TracebackType | None) -> bool:
    return any(frame.f_code in _READING_A_BODY for frame, _ in walk_tb(traceback))
