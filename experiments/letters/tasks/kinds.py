"""Six kinds of instructions with one right answer that a program knows, in three phrasings each.

A new kind is a new function and a new entry in ``TASKS``; nothing else knows them by name.
"""

import random
from collections.abc import Callable
from string import ascii_uppercase, digits
from typing import NamedTuple

from experiments.letters.tasks.grading import count_grade, spelling_grade


class Problem(NamedTuple):
    """One instruction and its right answer."""

    task: str
    payload: str
    """What the instruction is about, the same for every phrasing; decides between training and held-out."""
    prompt: str
    answer: str


class Drawn(NamedTuple):
    """A problem before it is put into words."""

    payload: str
    answer: str
    values: dict[str, object]
    """For the places in a phrasing."""


class Task(NamedTuple):
    """One kind of instruction."""

    name: str
    phrasings: tuple[str, ...]
    """Format strings for the values that are drawn."""
    drawn: Callable[[random.Random], Drawn]
    grade: Callable[[str, str], float] = spelling_grade
    """Grade in [0, 1] of a response, given the right answer: 1 if and only if they are the same."""

    def draw(self, rng: random.Random) -> Problem:
        """Draw one problem at random, and its phrasing."""
        payload, answer, values = self.drawn(rng)
        return Problem(self.name, payload, rng.choice(self.phrasings).format(**values), answer)


def _sort(rng: random.Random) -> Drawn:
    letters = "".join(rng.choices(ascii_uppercase, k=rng.randint(3, 5)))
    return Drawn(letters, "".join(sorted(letters)), {"letters": letters})


def _reverse(rng: random.Random) -> Drawn:
    items = "".join(rng.choices(rng.choice((ascii_uppercase, digits)), k=rng.randint(3, 6)))
    return Drawn(items, items[::-1], {"items": items})


def _add(rng: random.Random) -> Drawn:
    left, right = rng.randrange(10, 100), rng.randrange(10, 100)
    # The sum is the same either way round, so both ways belong to the same side of the split.
    payload = f"{min(left, right)}+{max(left, right)}"
    return Drawn(payload, str(left + right), {"left": left, "right": right})


def _count(rng: random.Random) -> Drawn:
    letter, *others = rng.sample(ascii_uppercase, 4)
    length = rng.randint(3, 6)
    count = rng.randint(0, length - 1)
    letters = [letter] * count + rng.choices(others, k=length - count)
    rng.shuffle(letters)
    text = "".join(letters)
    return Drawn(f"{letter} in {text}", str(count), {"letter": letter, "text": text})


def _larger(rng: random.Random) -> Drawn:
    length = rng.randint(2, 4)
    left = rng.randrange(10 ** (length - 1), 10**length)
    # Shared leading digits make the comparison worth a look beyond the first digit.
    scale = 10 ** rng.randint(1, length)
    right = left
    while right == left:
        right = left - left % scale + rng.randrange(scale)
    payload = f"{min(left, right)},{max(left, right)}"
    return Drawn(payload, str(max(left, right)), {"left": left, "right": right})


def _remove(rng: random.Random) -> Drawn:
    letter, *others = rng.sample(ascii_uppercase, 6)
    kept, removed = rng.randint(2, 4), rng.randint(1, 2)
    letters = [letter] * removed + rng.choices(others, k=kept)
    rng.shuffle(letters)
    text = "".join(letters)
    return Drawn(f"{letter} from {text}", text.replace(letter, ""), {"letter": letter, "text": text})


TASKS = {
    task.name: task
    for task in (
        Task(
            "sort",
            (
                "Sort these letters: {letters}",
                "Put {letters} into alphabetical order.",
                "What is {letters} sorted alphabetically?",
            ),
            _sort,
        ),
        Task("reverse", ("Reverse {items}", "Write {items} backwards.", "What is {items} in reverse order?"), _reverse),
        Task("add", ("What is {left} + {right}?", "Add {left} and {right}.", "Calculate {left} plus {right}."), _add),
        Task(
            "count",
            (
                "How often does {letter} occur in {text}?",
                "Count the letter {letter} in {text}",
                "How many times is {letter} in {text}?",
            ),
            _count,
            count_grade,
        ),
        Task(
            "larger",
            (
                "Which is larger, {left} or {right}?",
                "Name the bigger number: {left} or {right}",
                "Give the maximum of {left} and {right}.",
            ),
            _larger,
        ),
        Task(
            "remove",
            (
                "Remove every {letter} from {text}",
                "Delete the letter {letter} in {text}.",
                "Drop all {letter} from {text}.",
            ),
            _remove,
        ),
    )
}


def grade(problem: Problem, response: str) -> float:
    """Grade a response by its problem's task: in [0, 1], 1 if and only if it is exactly right."""
    return TASKS[problem.task].grade(problem.answer, response)
