"""Which problems may be trained on: a split by hash, so that no held-out payload can be met in training.

The hash is taken of the task and its payload, not of the phrasing: a held-out list is unseen in every phrasing.
"""

import hashlib
import random
from collections.abc import Iterator
from enum import StrEnum

from experiments.letters.tasks import TASKS, Problem

HELD_OUT_SHARE = 0.1


class Split(StrEnum):
    """The two sides of the split."""

    TRAIN = "train"
    HELD_OUT = "held-out"


def split_of(problem: Problem) -> Split:
    """Say on which side of the split a problem lies."""
    digest = hashlib.blake2b(f"{problem.task}:{problem.payload}".encode(), digest_size=8).digest()
    return Split.HELD_OUT if int.from_bytes(digest) < HELD_OUT_SHARE * 2**64 else Split.TRAIN


def draw_problems(split: Split, seed: int, tasks: tuple[str, ...] = tuple(TASKS)) -> Iterator[Problem]:
    """Draw problems of one side of the split without end, tasks in turn; the seed decides all of them."""
    rng = random.Random(f"{split}:{seed}")
    while True:
        for name in tasks:
            problem = TASKS[name].draw(rng)
            while split_of(problem) is not split:
                problem = TASKS[name].draw(rng)
            yield problem


def held_out_problems(count: int, seed: int) -> list[Problem]:
    """Checkable instructions that nothing may be trained on, tasks in turn, no instruction twice."""
    problems: dict[str, Problem] = {}
    for problem in draw_problems(Split.HELD_OUT, seed):
        problems.setdefault(problem.prompt, problem)
        if len(problems) == count:
            break
    return list(problems.values())
