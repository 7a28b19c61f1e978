"""A request with constraints that a program verifies, and the edits of a response that make training data."""

import random
from typing import NamedTuple

from experiments.smollm2.tasks.kinds.rule import Rule
from experiments.smollm2.tasks.kinds.text import without_fragment, without_preamble

_ROUNDS = 3
"""A repair may undo an earlier one; after so many rounds the constraints don't get along in this response."""


class Constraint(NamedTuple):
    """One constraint as the prompt puts it."""

    kind: str
    words: str
    rule: Rule

    def keeps(self, response: str) -> bool:
        """Whether a response keeps the constraint."""
        return self.rule.keeps(response)


class Task(NamedTuple):
    """A prompt and what its responses must keep."""

    prompt: str
    constraints: tuple[Constraint, ...]
    subject: str
    form: str
    request: str
    """The prompt without its constraints."""

    def keeps(self, response: str) -> bool:
        """Whether a response keeps all constraints; an empty one keeps none."""
        return bool(response.strip()) and all(constraint.keeps(response) for constraint in self.constraints)

    def repaired(self, response: str, rng: random.Random) -> str | None:
        """Edit a response so that it keeps all constraints; None where no sensible edit does."""
        if self.keeps(response):
            return response
        text: str | None = without_fragment(without_preamble(response))
        rules = sorted((constraint.rule for constraint in self.constraints), key=lambda rule: rule.stage)
        for _ in range(_ROUNDS):
            for rule in rules:
                if text and not rule.keeps(text):
                    text = rule.repair(text, rng)
            if not text or self.keeps(text):
                break
        return text if text and self.keeps(text) else None

    def broken(self, response: str, rng: random.Random) -> tuple[str, str] | None:
        """Break one constraint of a response that keeps all, and say its kind; None where no plausible edit does."""
        if not self.keeps(response):
            raise ValueError(f"a response to be broken must keep all constraints of the task: {response!r}")
        for constraint in rng.sample(self.constraints, len(self.constraints)):
            text = constraint.rule.break_(response, rng)
            if text and text.strip() and not constraint.keeps(text):
                return text, constraint.kind
        return None
