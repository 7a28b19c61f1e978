"""Every error that a client of ours can meet, and what it is as an HTTP answer.

vLLM's own errors (unknown model, prompt longer than the context, dead engine) keep vLLM's handlers, which answer in the
same shape: ``{"error": {"message", "type", "param", "code"}}``, `code` being the HTTP status.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from starlette.responses import Response

_MAX_ECHO = 120


class ApiError(Exception):
    """A refusal in OpenAI's error shape.

    Args:
        message: what was wrong and what would be accepted.
        param: the field of the request it is about, if one is.
    """

    status = HTTPStatus.BAD_REQUEST
    type = "BadRequestError"
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    def inside(self, parent: str) -> "ApiError":
        """The same about a field of an object in the request; for messages that begin with the field's name."""
        return ApiError(f"{parent}.{self.message}", f"{parent}.{self.param}")

    def body(self) -> dict[str, Any]:
        """The answer's JSON body."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.status.value}}


class InvalidFieldError(ApiError):
    """A field of the request is wrong."""

    def __init__(self, param: str, accepted: str, got: object) -> None:
        super().__init__(f"{param}: {accepted}, got {_shortened(repr(got))}", param)


class UnauthorizedError(ApiError):
    """No API key, or a wrong one. RFC 9110 wants the scheme named."""

    status = HTTPStatus.UNAUTHORIZED
    type = "AuthenticationError"
    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})


class ForbiddenError(ApiError):
    """The route is closed on this server."""

    status = HTTPStatus.FORBIDDEN
    type = "PermissionDeniedError"


class NotFoundError(ApiError):
    """The server has no such route, or the store no such version of a policy."""

    status = HTTPStatus.NOT_FOUND
    type = "NotFoundError"


class UnknownModelError(NotFoundError):
    """No such model is served."""


class WrongMethodError(ApiError):
    """The path takes other methods, which RFC 9110 wants listed."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    type = "MethodNotAllowedError"

    def __init__(self, method: str, path: str, allowed: str) -> None:
        super().__init__(f"{_shortened(path)} takes {allowed}, not {method}")
        self.headers = {"Allow": allowed}


class ConflictError(ApiError):
    """What is served, or the state of the store, doesn't allow it."""

    status = HTTPStatus.CONFLICT
    type = "ConflictError"


class DeadlineError(ApiError):
    """The deadline passed before a single candidate was finished. OpenAI's clients are told not to retry."""

    status = HTTPStatus.REQUEST_TIMEOUT
    type = "DeadlineExceeded"
    headers = MappingProxyType({"x-should-retry": "false"})


class BodyTooLargeError(ApiError):
    """The request body is larger than the server reads."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    type = "RequestTooLarge"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the request body may be at most {max_bytes} bytes long", "body")


class RefusedVersionError(ApiError):
    """A version of a policy can't be served."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "RefusedVersion"


class OverloadedError(ApiError):
    """The server, or the caller's share of it, is full. OpenAI's clients come back by themselves after that time."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    type = "RateLimitError"

    def __init__(self, message: str, retry_seconds: int) -> None:
        super().__init__(f"{message}; come back in {retry_seconds} s")
        self.headers = {"Retry-After": str(retry_seconds)}


class InternalError(ApiError):
    """A bug of the server: the log tells more, under the request's id."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    type = "InternalServerError"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"the server failed; its log says how, under request id {request_id}")


class NotFiniteError(ApiError):
    """The model's weights or activations hold NaN, so its answers mean nothing."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    type = "InternalServerError"

    def __init__(self, what: str = "numbers of the answer") -> None:
        super().__init__(f"{what} are NaN or infinite: the model's weights or activations hold NaN")


class UnavailableError(ApiError):
    """Nothing can be answered at present. OpenAI's clients come back by themselves after that time."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "ServiceUnavailableError"

    def __init__(self, message: str, retry_seconds: int) -> None:
        super().__init__(f"{message} in {retry_seconds} s")
        self.headers = {"Retry-After": str(retry_seconds)}


def api_error_response(error: ApiError) -> Response:
    """The HTTP answer for an error of ours."""
    # Escaped, because a message may quote what no encoding has bytes for: lone surrogates from the request.
    body = json.dumps(error.body())
    return Response(body, status_code=error.status, headers=error.headers, media_type="application/json")


def no_such_route(method: str, path: str) -> NotFoundError:
    """The error for a path that the server doesn't have."""
    return NotFoundError(f"no such route: {method} {_shortened(path)}")


def unreadable_value(error: Exception) -> ApiError:
    """The error to answer with where Python fails on a body's value that pydantic has not seen, or walks too deep."""
    if isinstance(error, RecursionError):
        return ApiError("body: a field holds a value that is nested too deep", "body")
    return ApiError(f"body: a field holds a value of a type that can't be read ({error})", "body")


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_ECHO else f"{text[:_MAX_ECHO]}…"
