"""vLLM's own generating routes (/v1/completions, /v1/responses, ...): admission, priorities and policies as on ours.

Their code is vLLM's, so the body is read here. It weighs 1 for each choice of each prompt, whatever route it is for. It
is refused where it asks for a selection, which these routes don't make. A policy's name in it becomes that of one
version, which the request then holds until its answer has been sent. No priority is above that of ours.

This middleware does not cover web sockets, work that goes on after its answer, as that of `background` responses does,
and policies in forms that carry files: there a policy's name stands for its active version, as vLLM has it.
"""

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from vllm.entrypoints.generate.base.serving import PRIORITY_HEADER

from selfjudge_service.admission.admission import enter_unless_hung_up
from selfjudge_service.middleware.asgi import is_generating, path_of, replay
from selfjudge_service.middleware.auth import caller_of
from selfjudge_service.observability.request_context import note
from selfjudge_service.protocol.errors import ApiError, api_error_response
from selfjudge_service.protocol.misplaced_fields import refuse_without_selection
from selfjudge_service.state import VERSION_HEADER

if TYPE_CHECKING:
    from selfjudge_service.state import SelfJudgeState


class VllmRoutesMiddleware:
    """Admits what vLLM's generating routes answer, and resolves policies for them.

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
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            return
        state: SelfJudgeState = scope["app"].state.selfjudge
        fields, headers, changes = _fields_of(body), Headers(scope=scope), dict[str, Any]()
        with ExitStack() as end:
            try:
                refuse_without_selection(path_of(scope), fields, headers)
                weight, caller = weight_of(fields), caller_of(headers)
                if not await enter_unless_hung_up(receive, end, state.admission, weight, caller=caller, size=len(body)):
                    return
                if state.adapting:
                    version, changes = _resolved(state, fields, headers, end)
                    send = _naming(version, send)
            except ApiError as refusal:
                await api_error_response(refusal)(scope, receive, send)
                return
            if _integer(fields.get("priority")) < 0:
                changes["priority"] = 0
            body = json.dumps(fields | changes).encode() if changes else body
            await self.app(scope, replay(body, receive), send)


def weight_of(fields: dict[str, Any]) -> int:
    """What a body asks for, in candidates: choices times prompts. What vLLM will refuse weighs 1."""
    parameters = fields.get("sampling_params")
    choices = _integer((parameters if isinstance(parameters, dict) else fields).get("n"))
    prompts = max(_several(fields.get("prompt")), _several(fields.get("messages")), _items(fields.get("items")))
    return max(1, choices) * prompts


def _resolved(
    state: "SelfJudgeState", fields: dict[str, Any], headers: Headers, end: ExitStack
) -> tuple[str | None, dict[str, Any]]:
    """The name of the weights that will answer, and what is to be changed in the body so that they do."""
    model, user = (value if isinstance(value := fields.get(name), str) else None for name in ("model", "user"))
    version = state.leased_version(model, headers, user, end)
    name = version or state.served_name(model)
    if name:
        note(model=name)
    return name, {"model": version} if version else {}


def _naming(version: str | None, send: Send) -> Send:
    async def send_with_version(message: Message) -> None:
        if version and message["type"] == "http.response.start":
            MutableHeaders(scope=message)[VERSION_HEADER] = version
        await send(message)

    return send_with_version


def _fields_of(body: bytes) -> dict[str, Any]:
    """A JSON object's fields; none of anything else, which vLLM reads or refuses itself."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


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
