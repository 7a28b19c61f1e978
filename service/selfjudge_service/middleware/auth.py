"""API keys for every route, ours and vLLM's, except the probes and metrics; admin keys for routes that ask for them.

vLLM's own check covers only four path prefixes; this one refuses by default, so a route added tomorrow is guarded too.
"""

import hashlib
import secrets
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from selfjudge_service.middleware.asgi import path_of
from selfjudge_service.protocol.errors import ForbiddenError, UnauthorizedError, api_error_response

OPEN_PATHS = frozenset({"/health", "/live", "/ready", "/metrics"})

_HOW = "send it as 'Authorization: Bearer <key>' or 'x-api-key: <key>'"


def key_of(headers: Headers) -> str:
    """The key that a request bears: as OpenAI's clients send it, else as Anthropic's do; empty if it bears none."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def caller_of(headers: Headers) -> str:
    """A digest of the API key that a request bears.

    On a server without keys callers may send what they like as one; those that send none are one caller.
    """
    key = key_of(headers)
    return hashlib.sha256(key.encode()).hexdigest()[:16] if key else ""


class Keys:
    """Keys that a request may bear one of; only their digests are kept."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def open(self, headers: Headers) -> bool:
        """Whether a request with these headers bears one of them."""
        digest = _digest(key_of(headers))
        # Every key is compared, so that timing tells nothing about which one was close.
        matches = [secrets.compare_digest(digest, known) for known in self._digests]
        return any(matches)


def require_admin(keys: Keys, headers: Headers) -> None:
    """Lets a request pass that bears an admin key.

    Raises:
        ForbiddenError: if the server has none.
        UnauthorizedError: if the request bears none of them.
    """
    if not keys:
        raise ForbiddenError("this route needs an admin key, and the server has none: set SELFJUDGE_ADMIN_KEYS")
    if not keys.open(headers):
        raise UnauthorizedError(f"an admin key is needed: {_HOW}")


class ApiKeyMiddleware:
    """Answers 401 unless the request bears one of the keys.

    Args:
        app: the application to guard.
        keys: accepted keys; at least one.
    """

    def __init__(self, app: ASGIApp, keys: Iterable[str]) -> None:
        self.app = app
        self._keys = Keys(keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry point."""
        guarded = scope["type"] in ("http", "websocket") and path_of(scope) not in OPEN_PATHS
        if not guarded or self._keys.open(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = UnauthorizedError(f"a valid API key is needed: {_HOW}")
        await api_error_response(refusal)(scope, receive, send)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
