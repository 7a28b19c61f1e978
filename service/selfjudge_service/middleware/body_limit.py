"""Refuses request bodies that are too large, before anything parses them."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "0")
        too_large = declared.isdecimal() and int(declared) > self._max_bytes
        if not too_large and "transfer-encoding" in headers:
            # Frameworks turn an error raised while they read the body into a 400 of their own: read it for them.
            messages = await _read_body(receive, self._max_bytes)
            too_large = messages is None
            receive = _replay(messages or [], receive)
        if too_large:
            refusal = BodyTooLargeError(self._max_bytes)
            await api_error_response(refusal)(scope, receive, send)
            return
        await self.app(scope, receive, send)


async def _read_body(receive: Receive, max_bytes: int) -> list[Message] | None:
    messages: list[Message] = []
    seen, more = 0, True
    while more:
        message = await receive()
        messages.append(message)
        seen += len(message.get("body", b""))
        if seen > max_bytes:
            return None
        more = message.get("more_body", False)
    return messages


def _replay(messages: list[Message], receive: Receive) -> Receive:
    remaining = iter(messages)

    async def next_message() -> Message:
        for message in remaining:
            return message
        return await receive()

    return next_message
