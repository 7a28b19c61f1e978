"""What our routes have in common: their class, and how a request enters.

The class says what is wrong with a body in the caller's words, and counts each request once, by how its answer ends. A
request enters once its weight is known, before any work in the engine:

    if not await admitted(request, weight):
        return Response(status_code=499)  # the client has hung up while it waited

It leaves by itself when its answer has been sent, or its client has hung up.
"""

import math
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, aclosing
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from selfjudge_service.admission.admission import enter_unless_hung_up
from selfjudge_service.middleware.auth import caller_of
from selfjudge_service.observability.metrics import Counting, count_request, expect_requests, outcome_of
from selfjudge_service.observability.request_context import note
from selfjudge_service.protocol.error_handlers import not_finite, unreadable
from selfjudge_service.protocol.validation import first_problem
from selfjudge_service.state import VERSION_HEADER, state_of


class Route(APIRoute):
    """A route of ours."""

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Starlette's way into a route; returns when the answer has been sent, or its client has hung up."""
        with ExitStack() as stack:
            scope.setdefault("state", {}).update(until_end=stack, headers={})
            await super().handle(scope, receive, send)

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's extension point: the handler that parses, validates and calls the endpoint."""
        handle = super().get_route_handler()
        expect_requests(self.path)

        async def handle_counted(request: Request) -> Response:
            with ExitStack() as stack:
                request.state.counting = counting = stack.enter_context(count_request(self.path))
                try:
                    response = await handle(request)
                except RequestValidationError as error:
                    raise first_problem(error) from error
                except HTTPException as error:
                    if error.status_code != HTTPStatus.BAD_REQUEST:
                        raise
                    raise unreadable(error) from error
                except (OverflowError, TypeError, ValueError) as error:
                    # vLLM's handlers take these for the caller's mistake; what is the caller's has been told by now.
                    raise not_finite(error) or RuntimeError(f"{self.path} failed") from error
                response.headers.update(headers_of(request))
                counting.outcome = outcome_of(response.status_code)
                if isinstance(response, StreamingResponse):
                    response.body_iterator = _to_the_end(response.body_iterator, stack.pop_all())
            return response

        return handle_counted


def resolve_model(request: Request, model: str | None, user: str | None = None) -> str | None:
    """The model to go on with: of a policy, the version that this request gets; anything else as it is.

    The weights are leased until the answer has been sent, and named in a header of it.

    Raises:
        UnknownModelError: if the request names a version that isn't loaded.
    """
    state = state_of(request)
    version = state.leased_version(model, request.headers, user, until_end(request))
    if name := version or state.served_name(model):
        headers_of(request)[VERSION_HEADER] = name
        note(model=name)
    return version or model


async def admitted(
    request: Request, weight: int, *, tournament: bool = False, deadline_seconds: float = math.inf
) -> bool:
    """Waits until a request may run; False if its client has hung up meanwhile. See `Admission.enter`.

    Raises:
        OverloadedError: if it may neither run nor wait, or has waited for queue_seconds.
        DeadlineError: if its own time is over before.
    """
    return await enter_unless_hung_up(
        request.receive,
        until_end(request),
        state_of(request).admission,
        weight,
        tournament=tournament,
        caller=caller_of(request.headers),
        size=len(await request.body()),
        deadline_seconds=deadline_seconds,
    )


def until_end(request: Request) -> ExitStack:
    """Holds what a request needs until its answer has been sent, whole or streamed, or its client has hung up."""
    stack: ExitStack = request.state.until_end
    return stack


def headers_of(request: Request) -> dict[str, str]:
    """Headers that the answer will bear, to be added to."""
    headers: dict[str, str] = request.state.headers
    return headers


def counting_of(request: Request) -> Counting:
    """The count of a request that came by one of our routes, for streams that end in an error of their own."""
    counting: Counting = request.state.counting
    return counting


async def _to_the_end(chunks: Any, counting: ExitStack) -> AsyncIterator[str | bytes | memoryview]:  # noqa: ANN401  starlette's union of iterables; it has made this one asynchronous
    with counting:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk
