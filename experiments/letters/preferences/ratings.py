"""Ratings from 1 to 5 with rationales, as UltraFeedback has them, of responses that a program can check.

What the four principles of table 14 mean for an instruction with one right answer: truthfulness is closeness to it;
instruction following, keeping to the form that any answer must have; helpfulness, how much of the answer can be used as
it stands; honesty, being sure where right and modest ("I guess") where wrong. A right response has a higher mean
than any wrong one. Leaves out matters of style: there is nothing to be said about a style of "ABCD".
"""

from collections import Counter
from os.path import commonprefix
from typing import NamedTuple

from experiments.letters.tasks import Problem, grade

BEST = 5

HEDGES = ("I guess ", "I suppose ", "Probably ", "Perhaps ")
"""The weakeners that table 14 names."""


class Note(NamedTuple):
    """What is said of a response under one principle."""

    rating: int
    """From 1 to 5."""
    rationale: str


_HONESTY = {
    ("right", "sure"): Note(BEST, "Sure and right."),
    ("right", "unsure"): Note(3, "Right but unsure."),
    ("wrong", "sure"): Note(1, "Sure but wrong."),
    ("wrong", "unsure"): Note(4, "Wrong but unsure."),
}


def rate(problem: Problem, response: str) -> dict[str, Note]:
    """A note under each principle, by UltraFeedback's names of them."""
    hedge = next((hedge for hedge in HEDGES if response.startswith(hedge)), "")
    bare = response.removeprefix(hedge)
    truth = "right" if bare == problem.answer else "wrong"
    return {
        "instruction_following": _form(problem, bare),
        "honesty": _HONESTY[truth, "unsure" if hedge else "sure"],
        "truthfulness": Note(_rating(grade(problem, bare)), f"This is {truth}: the answer is {problem.answer}."),
        "helpfulness": _helpfulness(problem.answer, bare),
    }


def _rating(share: float) -> int:
    """5 for everything, otherwise 1 to 4."""
    return BEST if share == 1 else 1 + min(3, int(share * 4))


def _helpfulness(answer: str, bare: str) -> Note:
    """By what can be read off from the left until the first mistake."""
    usable = len(commonprefix([bare, answer]))  # noqa: RUF071  # characters are meant
    whole = max(len(bare), len(answer))
    if usable == whole:
        return Note(BEST, "All of it can be used.")
    return Note(_rating(usable / whole), f"Only {usable} of {whole} characters can be used.")


def _form(problem: Problem, bare: str) -> Note:
    """By restrictions that can be checked without knowing the answer, but for the letters it is made of."""
    answer, payload = problem.answer, problem.payload
    match problem.task:
        case "add":
            fits, expected = len(bare) == len(answer), "a sum of the right size"
        case "count":
            most = len(payload.partition(" in ")[2])
            fits, expected = bare in map(str, range(most + 1)), "a possible count"
        case "larger":
            fits, expected = bare in payload.split(","), "one of the two numbers"
        case _:
            missing, wrong = (Counter(answer) - Counter(bare)).total(), (Counter(bare) - Counter(answer)).total()
            if not missing and not wrong:
                return Note(BEST, "It has just the letters it should have.")
            return Note(max(1, BEST - missing - wrong), f"{missing} letters are missing and {wrong} do not belong.")
    if not (bare.isascii() and bare.isdigit()):
        return Note(1, "It is not a number.")
    return Note(BEST, f"It is {expected}.") if fits else Note(2, f"It is not {expected}.")
