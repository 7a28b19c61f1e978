"""Every error a client of ours can meet, and the one place that turns errors into HTTP bodies.

    ApiError                      any refusal, with status, message and the field it is about
    +-- InvalidFieldError    400  a field of the request is wrong; names it and says what would be accepted
    +-- UnauthorizedError    401  no or a wrong API key
    +-- UnknownModelError    404  no such model is served
    +-- DeadlineError        408  deadline_ms passed before a single candidate was finished
    +-- BodyTooLargeError    413  the request body is larger than the server reads
    +-- SampleError               one candidate could not be sampled (sampling.py)

vLLM's own errors (unknown model, prompt longer than the context, dead engine) keep vLLM's handlers, which answer in the
same shape: ``{"error": {"message", "type", "param", "code"}}``, `code` being the HTTP status.
"""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from typing_extensions import override

_MAX_ECHO = 120


class ApiError(Exception):
    """A refusal in OpenAI's error shape.

    Args:
        message: what was wrong and what would be accepted.
        param: the field of the request it is about, if one is.
    """

    status = HTTPStatus.BAD_REQUEST
    type = "BadRequestError"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer."""
        return {}

    def body(self) -> dict[str, Any]:
        """The answer's JSON body."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.status.value}}


class InvalidFieldError(ApiError):
    """A field of the request is wrong."""

    def __init__(self, param: str, accepted: str, got: object) -> None:
        super().__init__(f"{param}: {accepted}, got {_echo(got)}", param)


class UnauthorizedError(ApiError):
    """No or a wrong API key."""

    status = HTTPStatus.UNAUTHORIZED
    type = "AuthenticationError"

    @property
    @override
    def headers(self) -> dict[str, str]:
        """RFC 9110 wants the scheme named."""
        return {"WWW-Authenticate": "Bearer"}


class UnknownModelError(ApiError):
    """No such model is served."""

    status = HTTPStatus.NOT_FOUND
    type = "NotFoundError"


class DeadlineError(ApiError):
    """The deadline passed before a single candidate was finished."""

    status = HTTPStatus.REQUEST_TIMEOUT
    type = "DeadlineExceeded"

    @property
    @override
    def headers(self) -> dict[str, str]:
        """The same request would meet the same deadline, so OpenAI's clients are told not to retry."""
        return {"x-should-retry": "false"}


class BodyTooLargeError(ApiError):
    """The request body is larger than the server reads."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    type = "RequestTooLarge"


def api_error_response(error: ApiError) -> JSONResponse:
    """The HTTP answer for an error of ours."""
    return JSONResponse(error.body(), status_code=error.status, headers=error.headers)


async def handle_api_error(_request: Request, error: Exception) -> Response:
    """Exception handler to register for `ApiError`."""
    if not isinstance(error, ApiError):
        raise error
    return api_error_response(error)


class ValidatingRoute(APIRoute):
    """A route whose validation errors name the field in plain words instead of listing pydantic's internals."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's extension point: the handler that parses, validates and calls the endpoint."""
        handle = super().get_route_handler()

        async def handle_naming_fields(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise _first_problem(error) from error

        return handle_naming_fields


def _first_problem(error: RequestValidationError) -> ApiError:
    first = error.errors()[0] if error.errors() else "the request could not be read"
    if isinstance(first, str):
        return ApiError(first)
    if first["type"] == "json_invalid":
        position = first["loc"][-1]
        return ApiError(f"the body is not valid JSON: {first['ctx']['error']} at character {position}", "body")
    # Union branches and wrapper validators appear in `loc` as bracketed names; they mean nothing to a caller.
    path = [str(part) for part in first["loc"] if part != "body" and not set(str(part)) & set("[](){}")]
    if not path:
        return ApiError(f"body: {first['msg'].removeprefix('Value error, ')}", "body")
    return InvalidFieldError(".".join(path), first["msg"].removeprefix("Value error, "), first.get("input"))


def _echo(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_ECHO else f"{text[:_MAX_ECHO]}…"
