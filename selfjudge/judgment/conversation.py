"""Conversations in OpenAI's message form, and their rendering as the context of a judgment.

Only text can be judged: a part of another kind is an error and is never left out. The judge sees of a turn what a
caller would see of it, refusals and tool calls included; reasoning that is kept apart from the text is left out.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from selfjudge.errors import ConversationError
from selfjudge.judgment.template import JudgmentTemplate

Message = Mapping[str, Any]
"""One message as in OpenAI's chat API: `role`, `content` (a string, text parts, or none), perhaps `tool_calls`.

Further fields are not read.
"""

Conversation = str | Sequence[Message]
"""Messages, or a string for a single user turn."""

_ROLES: Final = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}

_TEXT_OF: Final = {
    "text": "text",
    "input_text": "text",
    "output_text": "text",
    "refusal": "refusal",
    "tool_reference": "name",
}
"""Which field of a content part is its text, by the part's type."""


def message_text(message: Message) -> str:
    """What a caller sees of one message: its text or refusal, then one line for each tool call.

    Raises ConversationError for content that is neither a string, nor text parts, nor absent, and for tool calls
    without name or arguments.
    """
    content = message.get("content")
    if content is None:
        refusal = message.get("refusal")
        texts = [refusal] if isinstance(refusal, str) else []
    elif isinstance(content, str):
        texts = [content]
    elif isinstance(content, Sequence):
        texts = ["".join(map(_part_text, content))]
    else:
        raise ConversationError(f"content must be a string or a list of text parts, not {type(content).__name__}")
    return "\n".join([*texts, *map(_call_text, _calls(message))])


def _part_text(part: object) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
    if isinstance(part, Mapping) and isinstance(kind, str):
        if kind == "thinking":
            return ""
        if isinstance(text := part.get(_TEXT_OF.get(kind, "")), str):
            return text
    raise ConversationError(f"a content part of type {kind!r} cannot be judged; only text parts can")


def _calls(message: Message) -> list[object]:
    """What a message calls: `tool_calls`, or `function_call`, as they were named before."""
    calls = list(message.get("tool_calls") or ())
    former = message.get("function_call")
    return [*calls, {"function": former}] if former else calls


def _call_text(call: object) -> str:
    if isinstance(call, Mapping):
        for kind, argument in (("function", "arguments"), ("custom", "input")):
            called = call.get(kind)
            if isinstance(called, Mapping) and isinstance(called.get("name"), str) and argument in called:
                return f"Tool call: {called['name']} {_arguments(called[argument])}"
    raise ConversationError("each of tool_calls must have a 'function' with 'name' and 'arguments'")


def _arguments(arguments: object) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def context_text(template: JudgmentTemplate, conversation: Conversation, quote: Callable[[str], str]) -> str:
    """The context of a judgment: the conversation as the template's key `context` wants it, each text quoted.

    The conversation's system message is shown only where it differs from the template's own: JSFT-trained models meet
    the same default message in dialogues and judgments, and table 12 does not repeat it.
    Raises ConversationError for unknown roles, parts that are not text, and conversations without any turn.
    """
    if isinstance(conversation, str):
        conversation = [{"role": "user", "content": conversation}]
    turns = []
    for index, message in enumerate(conversation):
        role = _ROLES.get(str(message.get("role")))
        if role is None:
            known = ", ".join(_ROLES)
            raise ConversationError(f"messages[{index}].role is {message.get('role')!r}; known are {known}")
        try:
            text = message_text(message)
        except ConversationError as error:
            raise ConversationError(f"messages[{index}]: {error}") from error
        if role != "system" or text not in ("", template.system):
            turns.append((role, text))
    if not turns:
        raise ConversationError("the conversation has no turn; give at least one user message")
    if template.context == "instruction" and [role for role, _ in turns] == ["user"]:
        return quote(turns[0][1])
    labels = {role: getattr(template.turns, role) for role, _ in turns}
    return template.turns.separator.join(labels[role].format(content=quote(text)) for role, text in turns)
