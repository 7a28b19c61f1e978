"""Refuses request bodies that are too large, before anything parses them.

Starlette's own middleware for that answers in plain text, and once the application has begun to read.
"""

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from selfjudge_service.middleware.asgi import replay
from selfjudge_service.protocol.errors import BodyTooLargeError, api_error_response


class BodyLimitMiddleware:
    """Answers 413 to a body above the limit, by its declared length or, undeclared, as soon as it passes the limit.

    Args:
        app: the application to protect.
        max_bytes: largest body let through.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry point."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            limited = await self._limited(Request(scope, receive))
        except BodyTooLargeError as refusal:
            await api_error_response(refusal)(scope, receive, send)
        except ClientDisconnect:
            return
        else:
            await self.app(scope, limited, send)

    async def _limited(self, request: Request) -> Receive:
        """Brings the body to the application; one of undeclared length has been read for it.

        Frameworks would turn an error that is raised while they read the body into a 400 of their own.
        """
        declared = request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            raise BodyTooLargeError(self._max_bytes)
        if "transfer-encoding" not in request.headers:
            return request.receive
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > self._max_bytes:
                raise BodyTooLargeError(self._max_bytes)
        return replay(bytes(body), request.receive)
