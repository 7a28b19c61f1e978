"""Prompts alone, as in TRL's prompt-only rows, for what is answered anew; the base of rows that hold an answer too.

The prompt is text, or a whole conversation stands under `messages`. Further keys are ignored.
"""

from typing import Self

from pydantic import BaseModel, model_validator

from selfjudge_training.data.formats.preferences import PromptField, require_question
from selfjudge_training.data.records import Messages
from selfjudge_training.data.source import MalformedRowError


class PromptRow(BaseModel):
    """A row of a set of prompts."""

    prompt: PromptField = []
    messages: PromptField = []

    @model_validator(mode="after")
    def _one_conversation(self) -> Self:
        if bool(self.prompt) == bool(self.messages):
            raise MalformedRowError("give either 'prompt' or 'messages', not empty")
        require_question(self.conversation)
        return self

    @property
    def conversation(self) -> Messages:
        """What is to be answered."""
        return self.prompt or self.messages
