"""Every error a client of ours can meet, and the one place that turns errors into HTTP bodies.

    ApiError                      any refusal, with status, message and the field it is about
    +-- InvalidFieldError    400  a field of the request is wrong; names it and says what would be accepted
    +-- UnauthorizedError    401  no or a wrong API key
    +-- ForbiddenError       403  the route is closed on this server
    +-- UnknownModelError    404  no such model is served
    +-- UnknownVersionError  404  the store has no such version of a policy
    +-- UnknownRouteError    404  the server has no such path
    +-- WrongMethodError     405  the path takes other methods
    +-- DeadlineError        408  deadline_ms passed before a single candidate was finished
    +-- ConflictError        409  what is served, or the state of the store, doesn't allow it
    +-- BodyTooLargeError    413  the request body is larger than the server reads
    +-- RefusedVersionError  422  a version of a policy can't be served
    +-- OverloadedError      429  the server, or the caller's share of it, is full; says when to come back
    +-- InternalError        500  a bug of the server; names the request whose log lines tell more
    +-- NotFiniteError       500  the model's weights or activations hold NaN
    +-- UnavailableError     503  the engine is being restarted, or the server ends; says when to come back
    +-- SampleError               one candidate could not be sampled (sampling.py)

vLLM's own errors (unknown model, prompt longer than the context, dead engine) keep vLLM's handlers, which answer in the
same shape: ``{"error": {"message", "type", "param", "code"}}``, `code` being the HTTP status.
"""

import json
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
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

    def inside(self, parent: str) -> "ApiError":
        """The same about a field of an object in the request; for messages that begin with the field's name."""
        return ApiError(f"{parent}.{self.message}", f"{parent}.{self.param}")

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


class ForbiddenError(ApiError):
    """The route is closed on this server."""

    status = HTTPStatus.FORBIDDEN
    type = "PermissionDeniedError"


class UnknownModelError(ApiError):
    """No such model is served."""

    status = HTTPStatus.NOT_FOUND
    type = "NotFoundError"


class UnknownVersionError(ApiError):
    """The store has no such version of a policy."""

    status = HTTPStatus.NOT_FOUND
    type = "NotFoundError"


class UnknownRouteError(ApiError):
    """The server has no such path."""

    status = HTTPStatus.NOT_FOUND
    type = "NotFoundError"

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"no such route: {method} {_shortened(path)}")


class WrongMethodError(ApiError):
    """The path takes other methods.

    Args:
        method: that of the request.
        path: that of the request.
        allowed: those that the path takes, as the header `Allow` lists them.
    """

    status = HTTPStatus.METHOD_NOT_ALLOWED
    type = "MethodNotAllowedError"

    def __init__(self, method: str, path: str, allowed: str) -> None:
        super().__init__(f"{_shortened(path)} takes {allowed}, not {method}")
        self._allowed = allowed

    @property
    @override
    def headers(self) -> dict[str, str]:
        """RFC 9110 wants the methods listed."""
        return {"Allow": self._allowed}


class ConflictError(ApiError):
    """What is served, or the state of the store, doesn't allow it."""

    status = HTTPStatus.CONFLICT
    type = "ConflictError"


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


class RefusedVersionError(ApiError):
    """A version of a policy can't be served."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "RefusedVersion"


class OverloadedError(ApiError):
    """The server, or the caller's share of it, is full.

    Args:
        message: which limit is in the way.
        retry_seconds: when to come back.
    """

    status = HTTPStatus.TOO_MANY_REQUESTS
    type = "RateLimitError"

    def __init__(self, message: str, retry_seconds: int) -> None:
        super().__init__(f"{message}; come back in {retry_seconds} s")
        self._retry_seconds = retry_seconds

    @property
    @override
    def headers(self) -> dict[str, str]:
        """OpenAI's clients wait that long before they try again by themselves."""
        return {"Retry-After": str(self._retry_seconds)}


class InternalError(ApiError):
    """A bug of the server: what it is stands in the log, and is no caller's business.

    Args:
        request_id: by which its log lines are found.
    """

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    type = "InternalServerError"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"the server failed; its log says how, under request id {request_id}")


class NotFiniteError(ApiError):
    """The model's weights or activations hold NaN: what it says means nothing.

    Args:
        what: which numbers of it are NaN.
    """

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    type = "InternalServerError"

    def __init__(self, what: str = "numbers of the answer") -> None:
        super().__init__(f"{what} are NaN or infinite: the model's weights or activations hold NaN")


class UnavailableError(ApiError):
    """Nothing can be answered at present.

    Args:
        message: why.
        retry_seconds: when to come back.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "ServiceUnavailableError"

    def __init__(self, message: str, retry_seconds: int) -> None:
        super().__init__(f"{message} in {retry_seconds} s")
        self._retry_seconds = retry_seconds

    @property
    @override
    def headers(self) -> dict[str, str]:
        """OpenAI's clients wait that long before they try again by themselves."""
        return {"Retry-After": str(self._retry_seconds)}


def api_error_response(error: ApiError) -> Response:
    """The HTTP answer for an error of ours."""
    # Escaped, because a message may quote what no encoding has bytes for: lone surrogates from the request.
    body = json.dumps(error.body())
    return Response(body, status_code=error.status, headers=error.headers, media_type="application/json")


async def handle_api_error(_request: Request, error: Exception) -> Response:
    """Exception handler to register for `ApiError`."""
    if not isinstance(error, ApiError):
        raise error
    return api_error_response(error)


def unreadable_value(error: Exception) -> ApiError:
    """The error to answer with where Python fails on a body's value that pydantic has not seen, or walks too deep."""
    if isinstance(error, RecursionError):
        return ApiError("body: a field holds a value that is nested too deep", "body")
    return ApiError(f"body: a field holds a value of a type that can't be read ({error})", "body")


def _echo(value: object) -> str:
    return _shortened(repr(value))


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_ECHO else f"{text[:_MAX_ECHO]}…"
