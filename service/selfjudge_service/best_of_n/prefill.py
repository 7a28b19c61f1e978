"""Prefill: a request whose last message is the beginning of the answer (`continue_final_message`).

A judge compares whole answers. So the beginning belongs to each candidate, and not to the conversation.
"""

from collections.abc import Mapping
from typing import Any

from selfjudge import Message, message_text
from selfjudge_service.protocol.requests import ChatRequest


def judged_conversation(request: ChatRequest) -> list[Message]:
    """The conversation that the answers belong to: the request's messages, without an answer's beginning.

    Raises:
        ConversationError: if that beginning is not text.
    """
    messages: list[Message] = [dict(message) for message in request.messages]
    if not _prefilled(request):
        return messages
    message_text(messages[-1])
    return messages[:-1]


def judged_text(request: ChatRequest, message: Mapping[str, Any]) -> str:
    """The whole text of a sampled answer: its beginning, where the request brings one, and what was sampled."""
    if not _prefilled(request) or request.echo:  # vLLM has put the beginning there already
        return message_text(message)
    beginning = message_text(dict(request.messages[-1]))
    return message_text({**message, "content": beginning + (message.get("content") or "")})


def sampled_content(request: ChatRequest, content: str) -> str:
    """The part of an answer's content that was sampled, without the beginning that `echo` puts before it."""
    return content.removeprefix(message_text(dict(request.messages[-1]))) if request.echo else content


def _prefilled(request: ChatRequest) -> bool:
    return request.continue_final_message and dict(request.messages[-1]).get("role") == "assistant"
