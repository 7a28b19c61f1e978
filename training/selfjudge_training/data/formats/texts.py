"""Fields of rows that hold texts or messages, whatever a file brings in their place."""

import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainValidator

from selfjudge_training.data.records import Messages
from selfjudge_training.data.source import MalformedRowError

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
"""Roles of OpenAI's messages, in the words of preference rows."""


Category = Annotated[
    str, Field(coerce_numbers_to_str=True), BeforeValidator(lambda value: "" if value is None else value)
]
"""Of a prompt: text, a number, or null, which is as good as none."""


def shown(value: object) -> str:
    """The beginning of a value as JSON, for messages."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:40]}..."


def text_or_messages(value: object) -> str | Messages:
    """A field's value. Raises MalformedRowError, its message to stand behind the field's name."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise MalformedRowError(f"should be text or a list of messages, not {shown(value)}")
    return [_message(f"message {number}", message) for number, message in enumerate(value, 1)]


TextOrMessages = Annotated[str | Messages, PlainValidator(text_or_messages)]
"""Text, or OpenAI's messages of text; a developer's is a system message."""


def _message(place: str, value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or "role" not in value or "content" not in value:
        raise MalformedRowError(f"{place} should be an object with 'role' and 'content', not {shown(value)}")
    role, content = ROLES.get(str(value["role"])), value["content"]
    if role is None:
        raise MalformedRowError(f"the role of {place} should be one of {', '.join(ROLES)}, not {shown(value['role'])}")
    if value.get("tool_calls"):
        raise MalformedRowError(f"{place} calls tools, which can't be learned here")
    if isinstance(content, list) and all(
        isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in content
    ):
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise MalformedRowError(f"the content of {place} should be text or a list of text parts, not {shown(content)}")
    return {"role": role, "content": content}
