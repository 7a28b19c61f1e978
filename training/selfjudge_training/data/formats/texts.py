"""Fields of rows that hold texts or messages, whatever a file brings in their place; what is wrong is a ValueError."""

import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, PlainValidator

from selfjudge_training.data.records import Messages

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
"""Roles of OpenAI's messages, in the words of preference rows."""


class _FieldError(ValueError):
    """Its message goes behind the field's name."""


def _category(value: object) -> object:
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) else value


Category = Annotated[str, BeforeValidator(_category)]
"""Of a prompt: text, a number, or null, which is as good as none."""


def shown(value: object) -> str:
    """The beginning of a value as JSON, for messages."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _text_or_messages(value: object) -> str | Messages:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise _FieldError(f"should be text or a list of messages, not {shown(value)}")
    return [_message(f"message {number}", message) for number, message in enumerate(value, 1)]


TextOrMessages = Annotated[str | Messages, PlainValidator(_text_or_messages)]
"""Text, or OpenAI's messages of text; a developer's is a system message."""


def _message(place: str, value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or "role" not in value or "content" not in value:
        raise _FieldError(f"{place} should be an object with 'role' and 'content', not {shown(value)}")
    role = ROLES.get(value["role"]) if isinstance(value["role"], str) else None
    if role is None:
        raise _FieldError(f"the role of {place} should be one of {', '.join(ROLES)}, not {shown(value['role'])}")
    if value.get("tool_calls"):
        raise _FieldError(f"{place} calls tools, which can't be learned here")
    return {"role": role, "content": _content(place, value["content"])}


def _content(place: str, content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise _FieldError(f"the content of {place} should be text or a list of text parts, not {shown(content)}")
    for part in content:
        if not isinstance(part, Mapping) or not isinstance(part.get("text"), str):
            raise _FieldError(f"the content of {place} has a part without text: {shown(part)}")
    return "".join(part["text"] for part in content)


def half_character(value: object, place: str) -> str | None:
    """Where text within a value holds a lone surrogate, which JSON can say and no encoding can; None: nowhere."""
    if isinstance(value, str):
        return None if _is_whole(value) else place
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    return next((found for key, part in parts if (found := half_character(part, f"{place}.{key}"))), None)


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
