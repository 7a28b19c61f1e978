"""Task: add two numbers."""

import random

from typing_extensions import override

from experiments.letters.tasks.grading import spelling_grade
from experiments.letters.tasks.task import Problem, Task


class AddNumbers(Task):
    """``348 + 571`` becomes ``919``; graded digit by digit, as it is written."""

    name = "add"
    phrasings = (
        "What is {left} + {right}?",
        "Add {left} and {right}.",
        "Calculate {left} plus {right}.",
    )

    @override
    def draw(self, rng: random.Random) -> Problem:
        left, right = rng.randrange(10, 100), rng.randrange(10, 100)
        # The sum is the same either way round, so both ways belong to the same side of the split.
        payload = f"{min(left, right)}+{max(left, right)}"
        return self.problem(rng, payload, str(left + right), left=left, right=right)

    @override
    def grade(self, problem: Problem, response: str) -> float:
        return spelling_grade(problem.answer, response)
