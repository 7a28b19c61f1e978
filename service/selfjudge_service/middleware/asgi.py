"""A request's path, whether it generates, and its body, for our middleware."""

from typing import Final

from starlette.types import Message, Receive, Scope

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
"""vLLM's own routes that work in the engine; web sockets are left out."""


def path_of(scope: Scope) -> str:
    """The path that a request is for, without the prefix that a proxy in front of the server adds (`--root-path`)."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def is_generating(scope: Scope) -> bool:
    """Whether a request over HTTP is for one of vLLM's generating routes."""
    return scope["method"] == "POST" and path_of(scope) in GENERATING


def replay(body: bytes, receive: Receive) -> Receive:
    """Gives a body that has been read once more, then the client's hanging up."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
