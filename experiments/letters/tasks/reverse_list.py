"""Task: write a list of letters or digits backwards."""

import random
from string import ascii_uppercase, digits

from typing_extensions import override

from experiments.letters.tasks.grading import spelling_grade
from experiments.letters.tasks.task import Problem, Task


class ReverseList(Task):
    """``84713`` becomes ``31748``."""

    name = "reverse"
    phrasings = (
        "Reverse {items}",
        "Write {items} backwards.",
        "What is {items} in reverse order?",
    )

    @override
    def draw(self, rng: random.Random) -> Problem:
        items = "".join(rng.choices(rng.choice((ascii_uppercase, digits)), k=rng.randint(3, 6)))
        return self.problem(rng, items, items[::-1], items=items)

    @override
    def grade(self, problem: Problem, response: str) -> float:
        return spelling_grade(problem.answer, response)
