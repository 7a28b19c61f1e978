"""Admission of requests that vLLM's own routes answer, and no priority of theirs above that of ours.

Our routes know what a request weighs once they have validated it (entry.py). Of the others, whose code is vLLM's, the
body is read here: it weighs 1 for each choice of each prompt, whatever route it is for, and is refused where it asks
for a selection that these routes don't make. Requests that no engine work
follows from (models, tokens, probes, metrics, adapters) pass. Work that goes on after its answer, as that of
`background` responses does, is not counted; web sockets aren't either.
"""

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send
from vllm.entrypoints.generate.base.serving import PRIORITY_HEADER

from selfjudge_service.api.entry import caller_of, enter_until, unless_hung_up
from selfjudge_service.middleware.paths import path_of
from selfjudge_service.middleware.vllm_routes import fields_of, is_generating, replay
from selfjudge_service.protocol.errors import ApiError, api_error_response
from selfjudge_service.protocol.misplaced_fields import refuse_without_selection

if TYPE_CHECKING:
    from selfjudge_service.admission.admission import Admission


class OtherRoutesMiddleware:
    """Has vLLM's generating routes admit what they answer.

    Args:
        app: the application, whose state has our own once the server is up.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry point."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        _clamp_header(scope)
        if not is_generating(scope):
            await self.app(scope, receive, send)
            return
        with ExitStack() as stack:
            try:
                body = await self._enter(stack, scope, receive)
            except ApiError as refusal:
                await api_error_response(refusal)(scope, receive, send)
            except ClientDisconnect:
                return
            else:
                await self.app(scope, replay(body, receive), send)

    async def _enter(self, stack: ExitStack, scope: Scope, receive: Receive) -> bytes:
        """The body of a request that has been admitted, its priority clamped."""
        admission: Admission = scope["app"].state.selfjudge.admission
        body = await Request(scope, receive).body()
        fields = fields_of(body)
        headers = Headers(scope=scope)
        refuse_without_selection(path_of(scope), fields, headers)
        entering = enter_until(stack, admission, weight_of(fields), caller=caller_of(headers), size=len(body))
        if not await unless_hung_up(receive, entering):
            raise ClientDisconnect
        if _integer(fields.get("priority")) < 0:
            return json.dumps(fields | {"priority": 0}).encode()
        return body


def weight_of(fields: dict[str, Any]) -> int:
    """What a body asks for, in candidates: choices times prompts. What vLLM will refuse weighs 1."""
    parameters = fields.get("sampling_params")
    choices = _integer((parameters if isinstance(parameters, dict) else fields).get("n"))
    prompts = max(_several(fields.get("prompt")), _several(fields.get("messages")), _items(fields.get("items")))
    return max(1, choices) * prompts


def _several(prompt: object) -> int:
    """How many prompts a field holds: a list of texts, or of lists; anything else is one."""
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], str | list):
        return len(prompt)
    return 1


def _items(items: object) -> int:
    return max(1, len(items)) if isinstance(items, list) else 1


def _clamp_header(scope: Scope) -> None:
    headers = MutableHeaders(scope=scope)
    if _integer(headers.get(PRIORITY_HEADER)) < 0:
        headers[PRIORITY_HEADER] = "0"


def _integer(value: object) -> int:
    """What vLLM reads as an integer, 0 if it reads none; texts and whole floats are integers to it."""
    try:
        return int(float(value)) if isinstance(value, str | int | float) else 0
    except (ValueError, OverflowError):
        return 0
