"""Policies on vLLM's own routes (/v1/completions, /v1/responses, ...): versions, leases and headers as on ours.

The name in the body becomes that of one version, which the request then holds until its answer has been sent. Leaves
out web sockets, and forms that carry files: there a policy's name stands for its active version, as vLLM has it.
"""

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selfjudge_service.api.served import VERSION_HEADER, find_version, served_name
from selfjudge_service.middleware.vllm_routes import fields_of, is_generating, replay
from selfjudge_service.observability.request_context import note
from selfjudge_service.protocol.errors import UnknownModelError, api_error_response

if TYPE_CHECKING:
    from selfjudge_service.state import SelfJudgeState


class PoliciesMiddleware:
    """Resolves policies for those of vLLM's routes that generate; for servers with a store.

    Args:
        app: the application, whose state has our own once the server is up.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry point."""
        if scope["type"] != "http" or not is_generating(scope):
            await self.app(scope, receive, send)
            return
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            return
        await self._resolve(body, scope, receive, send)

    async def _resolve(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        state: SelfJudgeState = scope["app"].state.selfjudge
        fields = fields_of(body)
        model = fields.get("model") if isinstance(fields.get("model"), str) else None
        try:
            key = find_version(state, model, Headers(scope=scope), _sticky(fields))
        except UnknownModelError as error:
            await api_error_response(error)(scope, receive, send)
            return
        with ExitStack() as stack:
            if key and state.adapting:
                stack.enter_context(state.adapting.adapters.lease(key))
                body = json.dumps(fields | {"model": str(key)}).encode()
            if version := str(key) if key else served_name(state, model):
                note(model=version)
                send = _naming(version, send)
            await self.app(scope, replay(body, receive), send)


def _sticky(fields: dict[str, Any]) -> str | None:
    user = fields.get("user")
    return user if isinstance(user, str) else None


def _naming(version: str, send: Send) -> Send:
    async def send_with_version(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)[VERSION_HEADER] = version
        await send(message)

    return send_with_version
