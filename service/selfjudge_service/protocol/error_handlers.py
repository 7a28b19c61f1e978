"""What an application answers to errors, whoever's route they come from: OpenAI's shape, and the caller's words.

vLLM's own handlers keep what they say well: unknown models, prompts beyond the context, engines that died.
"""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from types import TracebackType
from typing import Final, TypeAlias

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
    UnknownRouteError,
    WrongMethodError,
    api_error_response,
    handle_api_error,
    unreadable_value,
)
from selfjudge_service.protocol.finite import handle_value_error
from selfjudge_service.protocol.validation import first_problem, problem_with

_LOG = logging.getLogger(__name__)
_Handler: TypeAlias = Callable[[Request, Exception], Awaitable[Response]]
# FastAPI's reading of a body, and that of /invocations, which tries one kind of request after the other.
_READING_A_BODY: Final = frozenset({solve_dependencies.__code__, TypeAdapter.validate_python.__code__})


def answer_errors(app: FastAPI) -> None:
    """Sets the handlers. vLLM sets its own after it has called plugins, some of them over these: call it again then."""
    handlers: dict[type[Exception], _Handler] = {
        ApiError: handle_api_error,
        HTTPException: _handle_http_error,
        RequestValidationError: _handle_invalid_request,
        ValidationError: _handle_invalid_part,
        ValueError: handle_value_error,
        AttributeError: _handle_type_error,
        LookupError: _handle_type_error,
        RecursionError: _handle_type_error,
        TypeError: _handle_type_error,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, _logging(handler))


def _logging(handler: _Handler) -> _Handler:
    """Minds --log-error-stack, as vLLM's handlers do."""

    async def logged(request: Request, error: Exception) -> Response:
        if request.app.state.args.log_error_stack:
            _LOG.error("a request is answered with an error", exc_info=error)
        return await handler(request, error)

    return logged


def error_response(error: Exception, body: object = None) -> ErrorResponse:
    """VLLM's answer to an error, in the caller's words where pydantic has said it.

    Args:
        error: what vLLM has raised.
        body: the request's, if it is at hand.
    """
    if isinstance(error, ValidationError):
        return ErrorResponse.model_validate(problem_with(error.errors(), body).body())
    return create_error_response(error)


def unreadable(error: HTTPException) -> ApiError:
    """FastAPI's word for JSON that Python can't hold: nested too deep, an integer too long."""
    return ApiError(f"the body can't be parsed: {error.__cause__ or error.detail}", "body")


async def _handle_http_error(request: Request, error: Exception) -> Response:
    """Refusals of the frameworks; those that routes give are of a class of their own, and vLLM's handler has them."""
    if not isinstance(error, HTTPException):
        raise error
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            told: ApiError = UnknownRouteError(request.method, request.url.path)
        case HTTPStatus.METHOD_NOT_ALLOWED:
            told = WrongMethodError(request.method, request.url.path, (error.headers or {}).get("Allow", ""))
        case HTTPStatus.BAD_REQUEST:
            told = unreadable(error)
        case _:
            raise error
    return api_error_response(told)


async def _handle_invalid_request(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return api_error_response(first_problem(error))


async def _handle_invalid_part(request: Request, error: Exception) -> Response:
    """What vLLM finds wrong while it makes its own objects of a body that has been read."""
    if not isinstance(error, ValidationError):
        raise error
    return api_error_response(problem_with(error.errors(), getattr(request, "_json", None)))


async def _handle_type_error(request: Request, error: Exception) -> Response:
    """VLLM's validators walk into some fields before their types are known, and into all of them however deep."""
    if _raised_while_reading(error.__traceback__):
        return api_error_response(unreadable_value(error))
    if isinstance(error, TypeError):
        answer: Response = await exception_handler(request, error)
        return answer
    raise error


def _raised_while_reading(traceback: TracebackType | None) -> bool:
    while traceback:
        if traceback.tb_frame.f_code in _READING_A_BODY:
            return True
        traceback = traceback.tb_next
    return False
