"""What a task is: instructions with one right answer that a program knows, and a grade for any other answer.

Leaves out how they are spread over training and held-out prompts (``tasks.split``) and what is done with them.
"""

import random
from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple


class Problem(NamedTuple):
    """One instruction and its right answer."""

    task: str
    payload: str
    """What the instruction is about, the same for every phrasing; decides between training and held-out."""
    prompt: str
    answer: str


class Task(ABC):
    """One kind of instruction, in several phrasings."""

    name: ClassVar[str]
    phrasings: ClassVar[tuple[str, ...]]
    """Format strings for the values that ``draw`` fills in."""

    @abstractmethod
    def draw(self, rng: random.Random) -> Problem:
        """Draw one problem at random."""

    @abstractmethod
    def grade(self, problem: Problem, response: str) -> float:
        """Grade a response in [0, 1]: 1 if and only if it is exactly the right answer."""

    def problem(self, rng: random.Random, payload: str, answer: str, **values: object) -> Problem:
        """Put values into a phrasing drawn at random."""
        return Problem(self.name, payload, rng.choice(self.phrasings).format(**values), answer)
