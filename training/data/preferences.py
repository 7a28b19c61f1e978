"""Plain preference rows as TRL knows them: `prompt`, `chosen` and `rejected`, each text or messages.

The prompt may be left out where chosen and rejected are whole conversations, or stand there twice
(`ultrafeedback_binarized`). Further columns are ignored but for `category`.
"""

from typing import Literal

from pydantic import BaseModel, Field

from training.data.loaded import MalformedRowError
from training.data.records import Demonstration, Messages, PreferencePair


class Turn(BaseModel):
    """One message."""

    role: Literal["system", "user", "assistant"]
    content: str


Turns = list[Turn]


class PreferenceRow(BaseModel):
    """A row of a preference set; further keys are ignored."""

    prompt: str | Turns | None = None
    chosen: str | Turns = Field(min_length=1)
    rejected: str | Turns
    category: str = ""


def pair(row: PreferenceRow) -> PreferencePair:
    """The row as a preference pair. Raises MalformedRowError."""
    chosen, rejected = demonstration(row), _answer(row.prompt, "rejected", row.rejected)
    if chosen.conversation != rejected.conversation:
        raise MalformedRowError("chosen and rejected answer different conversations")
    if chosen.response == rejected.response:
        raise MalformedRowError("chosen and rejected are the same response")
    return PreferencePair(chosen.conversation, chosen.response, rejected.response, category=row.category)


def demonstration(row: PreferenceRow) -> Demonstration:
    """The chosen response of a row. Raises MalformedRowError."""
    chosen = _answer(row.prompt, "chosen", row.chosen)
    if not chosen.response:
        raise MalformedRowError("the chosen response is empty")
    return chosen


def _answer(prompt: str | Turns | None, name: str, answer: str | Turns) -> Demonstration:
    asked = _messages(prompt) if prompt else []
    if isinstance(answer, str):
        before, response = asked, answer
    elif answer and answer[-1].role == "assistant":
        before, response = _messages(answer[:-1]), answer[-1].content
    else:
        raise MalformedRowError(f"{name}: messages must end with one of the assistant")
    if asked and before and asked != before:
        raise MalformedRowError(f"{name}: begins with another conversation than the prompt")
    conversation = before or asked
    if not conversation or conversation[-1]["role"] != "user":
        raise MalformedRowError("the conversation before the response must end with a message of the user")
    return Demonstration(conversation, response)


def _messages(prompt: str | Turns) -> Messages:
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    return [{"role": turn.role, "content": turn.content} for turn in prompt]
