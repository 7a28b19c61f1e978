"""Which problems may be trained on: a split by hash, so that no held-out payload can be met in training.

The hash is taken of the task and its payload, not of the phrasing: a held-out list is unseen in every phrasing.
"""

import hashlib
import random
from collections.abc import Iterator
from enum import StrEnum
from itertools import cycle, islice

from experiments.letters.tasks import TASKS, Problem, draw_problem

HELD_OUT_SHARE = 0.1


class Split(StrEnum):
    """The two sides of the split."""

    TRAIN = "train"
    HELD_OUT = "held-out"


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
