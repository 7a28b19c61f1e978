"""Task: name the larger of two numbers."""

import random

from typing_extensions import override

from experiments.letters.tasks.grading import spelling_grade
from experiments.letters.tasks.task import Problem, Task


class LargerNumber(Task):
    """Of ``4813`` and ``4797`` it is ``4813``."""

    name = "larger"
    phrasings = (
        "Which is larger, {left} or {right}?",
        "Name the bigger number: {left} or {right}",
        "Give the maximum of {left} and {right}.",
    )

    @override
    def draw(self, rng: random.Random) -> Problem:
        digits = rng.randint(2, 4)
        left = rng.randrange(10 ** (digits - 1), 10**digits)
        # Shared leading digits make the comparison worth a look beyond the first digit.
        scale = 10 ** rng.randint(1, digits)
        right = left
        while right == left:
            right = left - left % scale + rng.randrange(scale)
        payload = f"{min(left, right)},{max(left, right)}"
        return self.problem(rng, payload, str(max(left, right)), left=left, right=right)

    @override
    def grade(self, problem: Problem, response: str) -> float:
        return spelling_grade(problem.answer, response)
