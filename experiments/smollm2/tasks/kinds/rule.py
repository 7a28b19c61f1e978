"""What every kind of constraint is: parameters that are drawn, a verifier, and two edits that make training data."""

import random
from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple, Self

from experiments.smollm2.tasks.kinds.text import NUMBERS


class Topic(NamedTuple):
    """What a constraint may depend on."""

    subject: str
    words: tuple[str, ...]
    """Nouns that fit the subject's field."""
    request: str
    """The request without its constraints."""


class Rule(ABC):
    """One constraint, not yet put into words; frozen data, so that equal constraints are equal."""

    kind: ClassVar[str]
    stage: ClassVar[int]
    """Repairs are applied in this order: content, length, structure, ornament, letters, ends, wrapping."""

    @classmethod
    @abstractmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        """Draw parameters that suit an answer of 20 to 120 tokens."""

    @abstractmethod
    def keeps(self, response: str) -> bool:
        """Whether a response keeps the constraint."""

    @abstractmethod
    def repair(self, response: str, rng: random.Random) -> str | None:
        """Edit a response so that it keeps the constraint; None where no sensible edit exists."""

    @abstractmethod
    def break_(self, response: str, rng: random.Random) -> str | None:
        """Edit a response that keeps the constraint so that it just doesn't; None where no plausible edit exists."""

    def slots(self) -> dict[str, str]:
        """What goes into the places of a phrasing."""
        return {}


CONTENT, LENGTH, STRUCTURE, ORNAMENT, LETTERS, ENDS, WRAPPING = range(7)


def counted(number: int) -> dict[str, str]:
    """The slots of a number: in digits, in letters, and the ending of a plural."""
    word = NUMBERS[number] if number < len(NUMBERS) else str(number)
    return {"n": str(number), "number": word, "s": "" if number == 1 else "s"}
