"""Plain preference rows as TRL knows them: `prompt`, `chosen` and `rejected`, each text or messages.

The prompt may be left out where chosen and rejected are whole conversations, or stand there twice
(`ultrafeedback_binarized`). Further columns are ignored but for `category`.
"""

import re

from pydantic import BaseModel

from selfjudge_training.data.formats.texts import Category, TextOrMessages
from selfjudge_training.data.loaded import MalformedRowError
from selfjudge_training.data.records import Demonstration, Messages, PreferencePair

_LINE_END = re.compile(r"[^\S\n]*\n")


class PreferenceRow(BaseModel):
    """A row of a preference set; further keys are ignored."""

    prompt: TextOrMessages | None = None
    chosen: TextOrMessages
    rejected: TextOrMessages
    category: Category = ""


def pair(row: PreferenceRow) -> PreferencePair:
    """The row as a preference pair. Raises MalformedRowError."""
    return compared(demonstration(row), _answer(row.prompt, "rejected", _responses(row)[1]), row.category)


def compared(chosen: Demonstration, rejected: Demonstration, category: str) -> PreferencePair:
    """Two different responses to the same conversation. Raises MalformedRowError for any others."""
    if chosen.conversation != rejected.conversation:
        raise MalformedRowError("chosen and rejected answer different conversations")
    if chosen.response == rejected.response:
        raise MalformedRowError("chosen and rejected are the same response")
    return PreferencePair(chosen.conversation, chosen.response, rejected.response, category=category)


def demonstration(row: PreferenceRow) -> Demonstration:
    """The chosen response of a row. Raises MalformedRowError."""
    chosen = _answer(row.prompt, "chosen", _responses(row)[0])
    if not chosen.response.strip():
        raise MalformedRowError("the chosen response is empty")
    return chosen


def _responses(row: PreferenceRow) -> tuple[str | Messages, str | Messages]:
    """Chosen and rejected, without a prompt that is at the head of both texts, where a line ends between them.

    Where none does, as in "Hi" and "Hi there", nobody can tell: that raises MalformedRowError.
    """
    chosen, rejected = row.chosen, row.rejected
    head = row.prompt if isinstance(row.prompt, str) else row.prompt[-1]["content"] if row.prompt else ""
    if not head or not isinstance(chosen, str) or not isinstance(rejected, str):
        return chosen, rejected
    if not chosen.startswith(head) or not rejected.startswith(head):
        return chosen, rejected
    rests = [text.removeprefix(head) for text in (chosen, rejected)]
    if not head.endswith("\n") and not all(map(_LINE_END.match, rests)):
        raise MalformedRowError(
            "chosen and rejected both begin with the prompt, and no line ends behind it: give the responses alone"
        )
    return rests[0].lstrip(), rests[1].lstrip()


def _answer(prompt: str | Messages | None, name: str, answer: str | Messages) -> Demonstration:
    asked = _messages(prompt) if prompt else []
    if isinstance(answer, str):
        before, response = asked, answer
        if not asked:
            raise MalformedRowError(f"prompt: is missing or empty, and {name} is text, without a conversation")
    elif answer and answer[-1]["role"] == "assistant":
        before, response = answer[:-1], answer[-1]["content"]
    else:
        raise MalformedRowError(f"{name}: messages must end with one of the assistant")
    if asked and before and asked != before:
        raise MalformedRowError(f"{name}: begins with another conversation than the prompt")
    conversation = before or asked
    if not conversation or conversation[-1]["role"] != "user":
        raise MalformedRowError("the conversation before the response must end with a message of the user")
    if not conversation[-1]["content"].strip():
        raise MalformedRowError("the user's message before the response is empty")
    return Demonstration(conversation, response)


def _messages(prompt: str | Messages) -> Messages:
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
