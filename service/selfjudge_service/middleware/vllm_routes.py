"""vLLM's own routes that work in the engine: which they are, and their bodies as our middleware sees and hands them on.

What is made of a body is decided by those who read it: admission (admission/other_routes.py) and policies
(other_policies.py). Leaves out web sockets.
"""

import json
from typing import Any, Final

from starlette.types import Message, Receive, Scope

from selfjudge_service.middleware.paths import path_of

GENERATING: Final = frozenset(
    {
        "/cohere/v2/chat",
        "/generative_scoring",
        "/inference/v1/generate",
        "/invocations",
        "/v1/audio/transcriptions",
        "/v1/audio/translations",
        "/v1/chat/completions/batch",
        "/v1/completions",
        "/v1/messages",
        "/v1/responses",
        "/v1/systemone",
    }
)


def is_generating(scope: Scope) -> bool:
    """Whether a request over HTTP is for one of them."""
    return scope["method"] == "POST" and path_of(scope) in GENERATING


def fields_of(body: bytes) -> dict[str, Any]:
    """A JSON object's fields; none of anything else, which vLLM reads or refuses itself."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def replay(body: bytes, receive: Receive) -> Receive:
    """Gives a body that has been read once more, then what comes after it: the client's hanging up."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
