"""The records that every loader yields and every stage takes: text, for models of any tokenizer."""

from typing import NamedTuple

Messages = list[dict[str, str]]
"""A conversation in OpenAI's form (`role`, `content`), ending with the user's turn that is to be answered."""


class Asked(NamedTuple):
    """What a policy answers anew."""

    conversation: Messages


class Demonstration(NamedTuple):
    """One dialogue of D_SFT: the response is what the model learns to say."""

    conversation: Messages
    response: str


class PreferencePair(NamedTuple):
    """One comparison of D_Judge: two responses to a conversation, the better one known."""

    conversation: Messages
    chosen: str
    rejected: str
    principle: str | None = None
    """Key of the principle (table 14) under which `chosen` is better; None: on the whole."""
    rationale: tuple[str, str] | None = None
    """Why: what is said of the chosen response and of the rejected one (table 16)."""
    category: str = ""
    """What kind of prompt it is, for figures by category; empty where nobody says."""


class ScoredResponse(NamedTuple):
    """One judgment in place: a response to a conversation, and whether it is right."""

    conversation: Messages
    response: str
    right: bool
    demonstrate: bool = False
    """Whether the response is one to learn, too."""
    rationale: str = ""
    """Said behind the label."""
