"""What work costs: a step of the engine, and what its front end does. All costs are seconds.

The front end is the process that speaks HTTP, renders and tokenizes prompts, holds brackets, and takes the engine's
output; the engine is the process that schedules and computes. Both have one thread that matters.
"""

from typing import NamedTuple, Protocol


class Step(NamedTuple):
    """What an engine computes at once."""

    starts: int
    """Requests that it takes up in this step."""
    sequences: int
    tokens: int
    """Tokens computed, of prompts and of answers."""
    pairs: int
    """Pairs of a computed token and one that it attends to."""
    context: int
    """Tokens whose keys and values are read: the lengths of all sequences."""


class StepCosts(Protocol):
    """How long steps take."""

    def seconds(self, step: Step) -> float:
        """Of one step."""
        ...


class LinearCosts(NamedTuple):
    """Costs that are added up, as fits a processor: `context` is left out, since it goes along with `pairs`."""

    step: float
    start: float
    sequence: float
    token: float
    pair: float

    def seconds(self, step: Step) -> float:
        """Of one step."""
        return (
            self.step
            + self.start * step.starts
            + self.sequence * step.sequences
            + self.token * step.tokens
            + self.pair * step.pairs
        )


class FrontCosts(NamedTuple):
    """What the front end does for each of these."""

    request: float
    candidate: float
    """Half of it before its sampling, half after."""
    match: float
    judge_token: float
    """Of both judge prompts of a match, when it is made."""
    step: float
    """Output of one step of the engine."""
    token: float
    """A sampled token in that output."""


class Costs(NamedTuple):
    """All that a simulated replica needs to know."""

    engine: StepCosts
    front: FrontCosts
    hop: float
    """Delay of a message between front end and engine, each way, without work for either."""
