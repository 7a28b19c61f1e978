"""Six kinds of instructions with one right answer that a program knows, in three phrasings each.

A new kind is a function and its phrasings. Wrong answers get partial credit, by spelling or by value; style gets none:
only truth is graded. A hash of task and payload decides which problems may be trained on: a held-out payload is unseen
in every phrasing.
"""

import hashlib
import random
import re
from collections.abc import Iterator
from enum import StrEnum
from itertools import cycle, islice
from string import ascii_uppercase, digits
from typing import NamedTuple

BEST_WRONG_GRADE = 0.9
"""No wrong answer is graded above this, so that 1 always means exactly right."""

HELD_OUT_SHARE = 0.1

PHRASINGS = {
    "sort": ("Sort these letters: {}", "Put {} into alphabetical order.", "What is {} sorted alphabetically?"),
    "reverse": ("Reverse {}", "Write {} backwards.", "What is {} in reverse order?"),
    "add": ("What is {} + {}?", "Add {} and {}.", "Calculate {} plus {}."),
    "count": ("How often does {} occur in {}?", "Count the letter {} in {}", "How many times is {} in {}?"),
    "larger": ("Which is larger, {} or {}?", "Name the bigger number: {} or {}", "Give the maximum of {} and {}."),
    "remove": ("Remove every {} from {}", "Delete the letter {} in {}.", "Drop all {} from {}."),
}

Drawn = tuple[str, str, tuple[object, ...]]
"""A problem before it is put into words: payload, right answer, and what goes into the places of a phrasing."""


class Problem(NamedTuple):
    """One instruction and its right answer."""

    task: str
    payload: str
    """What the instruction is about, the same for every phrasing; decides between training and held-out."""
    prompt: str
    answer: str


class Split(StrEnum):
    """The two sides of the split."""

    TRAIN = "train"
    HELD_OUT = "held-out"


def draw_problem(task: str, rng: random.Random) -> Problem:
    """Draw one problem of a task at random, and its phrasing."""
    payload, answer, values = TASKS[task](rng)
    return Problem(task, payload, rng.choice(PHRASINGS[task]).format(*values), answer)


def grade(problem: Problem, response: str) -> float:
    """Grade a response: in [0, 1], 1 if and only if it is exactly right."""
    if response == problem.answer:
        return 1.0
    if problem.task != "count":  # by spelling
        return BEST_WRONG_GRADE * max(0.0, 1 - edit_distance(response, problem.answer) / len(problem.answer))
    if not re.fullmatch("[0-9]{1,2}", response):
        return 0.0
    return BEST_WRONG_GRADE / (1 + abs(int(response) - int(problem.answer)))


def edit_distance(left: str, right: str) -> int:
    """Levenshtein distance: the fewest insertions, deletions and replacements that turn one text into the other."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def _sort(rng: random.Random) -> Drawn:
    letters = "".join(rng.choices(ascii_uppercase, k=rng.randint(3, 5)))
    return letters, "".join(sorted(letters)), (letters,)


def _reverse(rng: random.Random) -> Drawn:
    items = "".join(rng.choices(rng.choice((ascii_uppercase, digits)), k=rng.randint(3, 6)))
    return items, items[::-1], (items,)


def _add(rng: random.Random) -> Drawn:
    left, right = rng.randrange(10, 100), rng.randrange(10, 100)
    # The sum is the same either way round, so both ways belong to the same side of the split.
    return f"{min(left, right)}+{max(left, right)}", str(left + right), (left, right)


def _count(rng: random.Random) -> Drawn:
    letter, *others = rng.sample(ascii_uppercase, 4)
    length = rng.randint(3, 6)
    count = rng.randint(0, length - 1)
    text = _mixed(letter, count, rng.choices(others, k=length - count), rng)
    return f"{letter} in {text}", str(count), (letter, text)


def _larger(rng: random.Random) -> Drawn:
    length = rng.randint(2, 4)
    left = rng.randrange(10 ** (length - 1), 10**length)
    # Shared leading digits make the comparison worth a look beyond the first digit.
    scale = 10 ** rng.randint(1, length)
    right = left
    while right == left:
        right = left - left % scale + rng.randrange(scale)
    return f"{min(left, right)},{max(left, right)}", str(max(left, right)), (left, right)


def _remove(rng: random.Random) -> Drawn:
    letter, *others = rng.sample(ascii_uppercase, 6)
    kept, removed = rng.randint(2, 4), rng.randint(1, 2)
    text = _mixed(letter, removed, rng.choices(others, k=kept), rng)
    return f"{letter} from {text}", text.replace(letter, ""), (letter, text)


def _mixed(letter: str, count: int, others: list[str], rng: random.Random) -> str:
    """So many of a letter among the others."""
    letters = [letter] * count + others
    rng.shuffle(letters)
    return "".join(letters)


TASKS = {"sort": _sort, "reverse": _reverse, "add": _add, "count": _count, "larger": _larger, "remove": _remove}


def split_of(problem: Problem) -> Split:
    """Say on which side of the split a problem lies."""
    digest = hashlib.blake2b(f"{problem.task}:{problem.payload}".encode(), digest_size=8).digest()
    return Split.HELD_OUT if int.from_bytes(digest) < HELD_OUT_SHARE * 2**64 else Split.TRAIN


def draw_problems(split: Split, seed: int) -> Iterator[Problem]:
    """Draw problems of one side of the split without end, tasks in turn; the seed decides all of them."""
    rng = random.Random(f"{split}:{seed}")
    for task in cycle(TASKS):
        problem = draw_problem(task, rng)
        while split_of(problem) is not split:
            problem = draw_problem(task, rng)
        yield problem


def different_problems(split: Split, seed: int) -> Iterator[Problem]:
    """As `draw_problems`, no instruction twice; there are millions."""
    seen = set()
    for problem in draw_problems(split, seed):
        if problem.prompt not in seen:
            seen.add(problem.prompt)
            yield problem


def held_out_problems(count: int, seed: int) -> list[Problem]:
    """Checkable instructions that nothing may be trained on, tasks in turn, no instruction twice."""
    return list(islice(different_problems(Split.HELD_OUT, seed), count))
