"""Task: count how often a letter occurs."""

import random
from string import ascii_uppercase

from typing_extensions import override

from experiments.letters.tasks.grading import count_grade
from experiments.letters.tasks.task import Problem, Task


class CountLetter(Task):
    """How often does ``B`` occur in ``ABBAB``? ``3``."""

    name = "count"
    phrasings = (
        "How often does {letter} occur in {text}?",
        "Count the letter {letter} in {text}",
        "How many times is {letter} in {text}?",
    )

    @override
    def draw(self, rng: random.Random) -> Problem:
        letter, *others = rng.sample(ascii_uppercase, 4)
        length = rng.randint(3, 6)
        count = rng.randint(0, length - 1)
        letters = [letter] * count + rng.choices(others, k=length - count)
        rng.shuffle(letters)
        text = "".join(letters)
        return self.problem(rng, f"{letter} in {text}", str(count), letter=letter, text=text)

    @override
    def grade(self, problem: Problem, response: str) -> float:
        return count_grade(int(problem.answer), response)
