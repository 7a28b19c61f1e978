"""Every exception this package raises on purpose.

They say what was wrong, where, and what would be accepted. The service maps them to HTTP's status codes in one place.
"""

from typing import Literal

AdapterFault = Literal[
    "name",
    "unknown",
    "files",
    "manifest",
    "checksum",
    "base",
    "config",
    "unsupported",
    "rank",
    "keys",
    "shapes",
    "dtype",
    "values",
    "engine",
    "probe",
    "gate",
]
"""What is wrong with an adapter, in a word: for status codes and metrics."""


class SelfJudgeError(Exception):
    """Base class of all errors of this package."""


class TemplateError(SelfJudgeError):
    """A judgment template is malformed, or there is none of that name."""


class PrincipleError(TemplateError):
    """A principle was named that the template does not have, or none where it needs one."""


class ConversationError(SelfJudgeError):
    """A conversation cannot be shown to a judge."""


class TokenizerError(SelfJudgeError):
    """A tokenizer cannot encode judgments safely."""


class ChatTemplateError(TokenizerError):
    """The tokenizer's chat template is missing, fails, or loses what it is given."""


class ChoiceTokenError(TokenizerError):
    """`A` or `B` is not exactly one token after the template's ending."""


class BudgetError(SelfJudgeError):
    """The judgment template alone, with nothing filled in, is longer than the prompt may be."""


class ReadingError(SelfJudgeError):
    """A pair of logprobs that cannot be one (NaN, or above zero)."""


class TournamentError(SelfJudgeError):
    """A call that the state of the tournament does not allow."""


class AdapterError(SelfJudgeError):
    """An adapter can't be used; ``reason`` says in a word what the message says at length."""

    def __init__(self, reason: AdapterFault, message: str) -> None:
        super().__init__(message)
        self.reason: AdapterFault = reason


class ShippedModelError(SelfJudgeError):
    """A model that comes with the package can't be made ready."""
