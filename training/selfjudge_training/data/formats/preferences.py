"""Plain preference rows as TRL knows them: `prompt`, `chosen` and `rejected`, each text or messages.

The prompt may be left out where chosen and rejected are whole conversations, or stand there twice
(`ultrafeedback_binarized`). Further columns are ignored but for `category`.
"""

import json
import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, PlainValidator, model_validator
from typing_extensions import override

from selfjudge_training.data.records import Demonstration, Messages, PreferencePair
from selfjudge_training.data.source import MalformedRowError

_LINE_END = re.compile(r"[^\S\n]*\n")

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
"""Roles of OpenAI's messages, in the words of preference rows."""

Side = Literal["chosen", "rejected"]

Category = Annotated[
    str, Field(coerce_numbers_to_str=True), BeforeValidator(lambda value: "" if value is None else value)
]
"""Of a prompt: text, a number, or null, which is as good as none."""


class ComparedRow(BaseModel):
    """A row of two responses; further keys are ignored."""

    category: Category = ""

    @abstractmethod
    def side(self, name: Side) -> Demonstration:
        """One response and the conversation that it answers. Raises MalformedRowError."""

    def demonstration(self) -> Demonstration:
        """The chosen response, which has words. Raises MalformedRowError."""
        chosen = self.side("chosen")
        if not chosen.response.strip():
            raise MalformedRowError("the chosen response is empty")
        return chosen

    def pair(self) -> PreferencePair:
        """Two different responses to the same conversation. Raises MalformedRowError for any others."""
        chosen, rejected = self.demonstration(), self.side("rejected")
        if chosen.conversation != rejected.conversation:
            raise MalformedRowError("chosen and rejected answer different conversations")
        if chosen.response == rejected.response:
            raise MalformedRowError("chosen and rejected are the same response")
        return PreferencePair(chosen.conversation, chosen.response, rejected.response, category=self.category)


def _text_or_messages(value: object) -> str | Messages:
    """A field's value. Raises MalformedRowError, its message to stand behind the field's name."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise MalformedRowError(f"should be text or a list of messages, not {json.dumps(value):.60}")
    return [_message(number, message) for number, message in enumerate(value, 1)]


def _message(number: int, value: object) -> dict[str, str]:
    match value:
        case {"tool_calls": calls} if calls:
            raise MalformedRowError(f"message {number} calls tools, which can't be learned here")
        case {"role": str(role), "content": str() | [*_] as content} if role in ROLES:
            parts = [{"text": content}] if isinstance(content, str) else content
            if all(isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in parts):
                return {"role": ROLES[role], "content": "".join(part["text"] for part in parts)}
    raise MalformedRowError(
        f"message {number} should have a 'role' of {', '.join(ROLES)} and as 'content' text or a list of text parts, "
        f"not be {json.dumps(value):.60}"
    )


def require_question(conversation: Messages) -> None:
    """Raises MalformedRowError unless it ends with words of the user."""
    if not conversation or conversation[-1]["role"] != "user":
        raise MalformedRowError("the conversation before the response must end with a message of the user")
    if not conversation[-1]["content"].strip():
        raise MalformedRowError("the user's message before the response is empty")


def _prompt(value: object) -> Messages:
    prompt = _text_or_messages("" if value is None else value)
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}] if prompt else []
    return prompt


PromptField = Annotated[Messages, PlainValidator(_prompt)]
"""Messages, or text, which is one of the user; null, and empty text, are as good as none."""

TextOrMessages = Annotated[str | Messages, PlainValidator(_text_or_messages)]
"""Text, or OpenAI's messages of text; a developer's is a system message."""


class PreferenceRow(ComparedRow):
    """A row of a preference set."""

    prompt: PromptField = []
    chosen: TextOrMessages
    rejected: TextOrMessages

    @model_validator(mode="after")
    def _without_prompt(self) -> Self:
        """Cuts off a prompt that is at the head of both texts, where a line ends between it and the responses.

        Where none does, as in "Hi" and "Hi there", nobody can tell.
        """
        head = self.prompt[-1]["content"] if self.prompt else ""
        texts = [side for side in (self.chosen, self.rejected) if isinstance(side, str) and side.startswith(head)]
        if not head or len(texts) < 2:
            return self
        rests = [text.removeprefix(head) for text in texts]
        if not head.endswith("\n") and not all(map(_LINE_END.match, rests)):
            raise MalformedRowError(
                "chosen and rejected both begin with the prompt, and no line ends behind it: give the responses alone"
            )
        self.chosen, self.rejected = rests[0].lstrip(), rests[1].lstrip()
        return self

    @override
    def side(self, name: Side) -> Demonstration:
        answer = self.chosen if name == "chosen" else self.rejected
        if isinstance(answer, str):
            if not self.prompt:
                raise MalformedRowError(f"prompt: is missing or empty, and {name} is text, without a conversation")
            answer = [{"role": "assistant", "content": answer}]
        if not answer or answer[-1]["role"] != "assistant":
            raise MalformedRowError(f"{name}: messages must end with one of the assistant")
        *before, last = answer
        if self.prompt and before and self.prompt != before:
            raise MalformedRowError(f"{name}: begins with another conversation than the prompt")
        conversation = before or self.prompt
        require_question(conversation)
        return Demonstration(conversation, last["content"])
