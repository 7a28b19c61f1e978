"""Task: put letters into alphabetical order."""

import random
from string import ascii_uppercase

from typing_extensions import override

from experiments.letters.tasks.grading import spelling_grade
from experiments.letters.tasks.task import Problem, Task


class SortLetters(Task):
    """``KDAZ`` becomes ``ADKZ``."""

    name = "sort"
    phrasings = (
        "Sort these letters: {letters}",
        "Put {letters} into alphabetical order.",
        "What is {letters} sorted alphabetically?",
    )

    @override
    def draw(self, rng: random.Random) -> Problem:
        letters = "".join(rng.choices(ascii_uppercase, k=rng.randint(3, 5)))
        return self.problem(rng, letters, "".join(sorted(letters)), letters=letters)

    @override
    def grade(self, problem: Problem, response: str) -> float:
        return spelling_grade(problem.answer, response)
