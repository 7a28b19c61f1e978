"""Task: leave one letter out of a text."""

import random
from string import ascii_uppercase

from typing_extensions import override

from experiments.letters.tasks.grading import spelling_grade
from experiments.letters.tasks.task import Problem, Task


class RemoveLetter(Task):
    """``K`` taken out of ``AKBKC`` leaves ``ABC``."""

    name = "remove"
    phrasings = (
        "Remove every {letter} from {text}",
        "Delete the letter {letter} in {text}.",
        "Drop all {letter} from {text}.",
    )

    @override
    def draw(self, rng: random.Random) -> Problem:
        letter, *others = rng.sample(ascii_uppercase, 6)
        kept, removed = rng.randint(2, 4), rng.randint(1, 2)
        letters = [letter] * removed + rng.choices(others, k=kept)
        rng.shuffle(letters)
        text = "".join(letters)
        return self.problem(rng, f"{letter} from {text}", text.replace(letter, ""), letter=letter, text=text)

    @override
    def grade(self, problem: Problem, response: str) -> float:
        return spelling_grade(problem.answer, response)
