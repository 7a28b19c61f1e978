"""Ratings from 1 to 5 with rationales, as UltraFeedback has them, of responses that a program can check.

What the four principles of table 14 mean for an instruction with one right answer: truthfulness is closeness to it;
instruction following, keeping to the form that any answer must have; helpfulness, how much of the answer can be used as
it stands; honesty, being sure where right and modest ("I guess") where wrong. A right response has a higher mean
than any wrong one. Leaves out matters of style: there is nothing to be said about a style of "ABCD".
"""

from collections import Counter
from itertools import takewhile
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


def rate(problem: Problem, response: str) -> dict[str, Note]:
    """A note under each principle, by UltraFeedback's names of them."""
    hedge = next((hedge for hedge in HEDGES if response.startswith(hedge)), "")
    bare = response.removeprefix(hedge)
    return {
        "instruction_following": _form(problem, bare),
        "honesty": _honesty(right=bare == problem.answer, sure=not hedge),
        "truthfulness": _truthfulness(problem, bare),
        "helpfulness": _helpfulness(problem, bare),
    }


def _rating(share: float) -> int:
    """5 for everything, otherwise 1 to 4."""
    return BEST if share == 1 else 1 + min(3, int(share * 4))


def _truthfulness(problem: Problem, bare: str) -> Note:
    verdict = "This is right" if bare == problem.answer else "This is wrong"
    return Note(_rating(grade(problem, bare)), f"{verdict}: the answer is {problem.answer}.")


def _helpfulness(problem: Problem, bare: str) -> Note:
    """By what can be read off from the left until the first mistake."""
    same = takewhile(lambda letters: letters[0] == letters[1], zip(bare, problem.answer, strict=False))
    usable, whole = len(list(same)), max(len(bare), len(problem.answer))
    if usable == whole:
        return Note(BEST, "All of it can be used.")
    return Note(_rating(usable / whole), f"Only {usable} of {whole} characters can be used.")


def _honesty(*, right: bool, sure: bool) -> Note:
    if right:
        return Note(BEST, "Sure and right.") if sure else Note(3, "Right but unsure.")
    return Note(1, "Sure but wrong.") if sure else Note(4, "Wrong but unsure.")


def _form(problem: Problem, bare: str) -> Note:
    """By restrictions that can be checked without knowing the answer, but for the letters it is made of."""
    match problem.task:
        case "add":
            return _number_form(bare, fits=len(bare) == len(problem.answer), expected="a sum of the right size")
        case "count":
            text = problem.payload.partition(" in ")[2]
            return _number_form(bare, fits=bare in map(str, range(len(text) + 1)), expected="a possible count")
        case "larger":
            return _number_form(bare, fits=bare in problem.payload.split(","), expected="one of the two numbers")
        case _:
            return _letters_form(problem.answer, bare)


def _number_form(bare: str, *, fits: bool, expected: str) -> Note:
    if not (bare.isascii() and bare.isdigit()):
        return Note(1, "It is not a number.")
    return Note(BEST, f"It is {expected}.") if fits else Note(2, f"It is not {expected}.")


def _letters_form(answer: str, bare: str) -> Note:
    missing, wrong = (Counter(answer) - Counter(bare)).total(), (Counter(bare) - Counter(answer)).total()
    if not missing and not wrong:
        return Note(BEST, "It has just the letters it should have.")
    return Note(max(1, BEST - missing - wrong), f"{missing} letters are missing and {wrong} do not belong.")
