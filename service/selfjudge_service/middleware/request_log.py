"""The outermost of our middlewares: gives each request an id and a span, and tells in one line how it ended.

The caller's X-Request-Id is the id if it is short and plain, else one is made; vLLM finds it in that header, and every
answer bears it, an unexpected 500 too. Probes are logged at DEBUG only: a kubelet sends thousands a day.
"""

import logging
import re
import time
from http import HTTPStatus
from uuid import uuid4

from opentelemetry.trace import Span
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selfjudge_service.observability.metrics import CLIENT_CLOSED_REQUEST, outcome_of
from selfjudge_service.observability.request_context import Request, begin
from selfjudge_service.observability.tracing import mark, request_span
from selfjudge_service.protocol.errors import InternalError, api_error_response

_LOG = logging.getLogger(__name__)
_HEADER = "X-Request-Id"
_PLAIN = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_PROBES = frozenset({"/health", "/live", "/ready", "/metrics", "/ping"})
_LONGEST = 200


class RequestLogMiddleware:
    """Names, traces and logs HTTP requests.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry point."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(_HEADER, "")
        request = begin(given if _PLAIN.fullmatch(given) else uuid4().hex)
        named = (_HEADER.lower().encode(), request.request_id.encode())
        scope["headers"] = [*(one for one in scope["headers"] if one[0] != named[0]), named]
        started, status, answered, whole = time.monotonic(), CLIENT_CLOSED_REQUEST, False, False

        async def send_named(message: Message) -> None:
            nonlocal status, answered, whole
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                MutableHeaders(scope=message)[_HEADER] = request.request_id
            await send(message)
            whole = message["type"] == "http.response.body" and not message.get("more_body")

        try:
            with request_span(headers) as span:
                try:
                    await self.app(scope, receive, send_named)
                except Exception:
                    # The framework would answer outside of us, where nothing is named.
                    if not answered:
                        await api_error_response(InternalError(request.request_id))(scope, receive, send_named)
                    status = HTTPStatus.INTERNAL_SERVER_ERROR.value
                    raise
                finally:
                    _tell(scope, request, span, status, time.monotonic() - started)
        except Exception:
            # uvicorn closes the connection, by which a client learns that its answer was cut. A client that has its
            # whole answer would keep the connection, and lose its next request on it.
            if not whole:
                raise
            _LOG.exception("a request failed")


def _tell(scope: Scope, request: Request, span: Span, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", None)
    where = {"route": route} if route else {"path": scope["path"]}
    facts = {"method": scope["method"], **where, "status": status, "outcome": outcome_of(status), **request.noted}
    facts = {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in facts.items()}
    mark(span, request_id=request.request_id, **facts)
    level = logging.DEBUG if scope["path"] in _PROBES else logging.INFO
    if _LOG.isEnabledFor(level):
        _LOG.log(level, {"message": "request", **facts, "seconds": round(seconds, 4), **request.texts})
