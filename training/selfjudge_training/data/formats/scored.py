"""Scored rows: one response each, and whether it is right; for judgments in place.

The prompt is text, or whole conversations stand under `messages`. Further keys are ignored.
"""

from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, StrictBool, model_validator

from selfjudge_training.data.formats.preferences import PromptField, require_question
from selfjudge_training.data.records import ScoredResponse
from selfjudge_training.data.source import MalformedRowError


class ScoredRow(BaseModel):
    """A row of a scored set."""

    prompt: PromptField = []
    messages: PromptField = []
    response: str
    right: StrictBool
    demonstrate: Annotated[StrictBool, BeforeValidator(lambda value: False if value is None else value)] = False
    """Whether the response is one to learn, too."""
    rationale: Annotated[str, BeforeValidator(lambda value: "" if value is None else value)] = ""
    """Said behind the label."""

    @model_validator(mode="after")
    def _one_conversation(self) -> Self:
        if bool(self.prompt) == bool(self.messages):
            raise MalformedRowError("give either 'prompt' or 'messages', not empty")
        require_question(self.prompt or self.messages)
        if self.demonstrate and not self.response.strip():
            raise MalformedRowError("the response is empty, but 'demonstrate' is true")
        return self

    def scored(self) -> ScoredResponse:
        """As what is trained on."""
        conversation = self.prompt or self.messages
        return ScoredResponse(conversation, self.response, self.right, self.demonstrate, self.rationale)
