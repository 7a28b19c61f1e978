"""429 where the server is full, before it reads the body.

Under overload most requests end here, and each takes time from admitted ones, so this has to be cheap. Requests that
need no engine (models, tokens, probes, metrics, adapters) pass.
"""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from selfjudge_service.middleware.asgi import is_generating, path_of
from selfjudge_service.middleware.auth import caller_of
from selfjudge_service.observability.metrics import REQUESTS, outcome_of
from selfjudge_service.protocol.errors import OverloadedError, api_error_response


class OverloadMiddleware:
    """Refuses requests that would be refused at any weight.

    Args:
        app: the application, whose state has our own once the server is up.
        routes: paths of our routes that need the engine; refusals are counted among their requests.
    """

    def __init__(self, app: ASGIApp, routes: Collection[str]) -> None:
        self.app = app
        self._routes = frozenset(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry point."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal:
            await api_error_response(refusal)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> OverloadedError | None:
        path = path_of(scope)
        is_ours = scope["method"] == "POST" and path in self._routes
        if not is_ours and not is_generating(scope):
            return None
        try:
            scope["app"].state.selfjudge.admission.check(caller_of(Headers(scope=scope)))
        except OverloadedError as refusal:
            if is_ours:
                REQUESTS.labels(path, outcome_of(refusal.status)).inc()
            return refusal
        return None
