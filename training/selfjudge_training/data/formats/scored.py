"""Scored rows: one response each, and whether it is right; for judgments in place."""

from typing import Annotated, Self

from pydantic import BeforeValidator, StrictBool, model_validator

from selfjudge_training.data.formats.prompt_only import PromptRow
from selfjudge_training.data.records import ScoredResponse
from selfjudge_training.data.source import MalformedRowError


class ScoredRow(PromptRow):
    """A row of a scored set."""

    response: str
    right: StrictBool
    demonstrate: Annotated[StrictBool, BeforeValidator(lambda value: False if value is None else value)] = False
    """Whether the response is one to learn, too."""
    rationale: Annotated[str, BeforeValidator(lambda value: "" if value is None else value)] = ""
    """Said behind the label."""

    @model_validator(mode="after")
    def _has_words_to_learn(self) -> Self:
        if self.demonstrate and not self.response.strip():
            raise MalformedRowError("the response is empty, but 'demonstrate' is true")
        return self

    def scored(self) -> ScoredResponse:
        """As what is trained on."""
        return ScoredResponse(self.conversation, self.response, self.right, self.demonstrate, self.rationale)
