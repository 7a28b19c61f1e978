"""Preference data from samples: for each prompt, a demonstration, and the wrong answers that checkpoints gave to it.

As in the paper, D_SFT is made of chosen responses, here the better graded of two samples of a weak checkpoint
(so the demonstrations, and the policy that imitates them, are often wrong), and D_Judge of pairs (x, y_w, y_l) of
which the grade says which is better. Every task has exactly one right answer, so all right samples of a prompt are
one text, its answer, and a pool only needs to list the wrong ones.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.letters.tasks import Problem, grade


class Rejected(NamedTuple):
    """A wrong answer that some model sampled."""

    text: str
    grade: float
    weight: float
    """How often it is to be met, relative to others: more where it was sampled often, or is hard to reject."""


class Pool(NamedTuple):
    """What is known about one prompt."""

    problem: Problem
    demonstration: str | None
    """The chosen response of D_SFT; None where the pool only serves the judge."""
    rejected: tuple[Rejected, ...]


class Pair(NamedTuple):
    """A preference triplet (x, y_w, y_l)."""

    prompt: str
    chosen: str
    rejected: str
    chosen_is_right: bool


def make_pool(problem: Problem, demonstrations: Sequence[str], samples: Iterable[str]) -> Pool:
    """Grade samples into a pool; the demonstration is the best of those offered, the first of equals."""
    best = max(demonstrations, key=lambda text: grade(problem, text), default=None)
    wrong = Counter(text for text in (*demonstrations, *samples) if text != problem.answer)
    # The square root: answers sampled over and over are met more often, but do not crowd out the others.
    rejected = tuple(Rejected(text, grade(problem, text), count**0.5) for text, count in wrong.items())
    return Pool(problem, best, rejected)


def draw_pair(pool: Pool, rng: random.Random, graded_share: float, least_gap: float) -> Pair:
    """Draw a pair by the weights of the rejected; a share of pairs compares two wrong answers by their grades.

    ``least_gap`` is the difference in grade from which one wrong answer counts as better than another. The pool must
    have a rejected answer.
    """
    weights = [rejected.weight for rejected in pool.rejected]
    worse = rng.choices(pool.rejected, weights)[0]
    if rng.random() < graded_share:
        better = [other for other in pool.rejected if other.grade >= worse.grade + least_gap]
        if better:
            return Pair(pool.problem.prompt, rng.choice(better).text, worse.text, chosen_is_right=False)
    return Pair(pool.problem.prompt, pool.problem.answer, worse.text, chosen_is_right=True)


def write_pools(pools: Iterable[Pool], path: Path) -> None:
    """Write pools as JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        for pool in pools:
            file.write(json.dumps(pool) + "\n")


def read_pools(path: Path) -> list[Pool]:
    """Read what ``write_pools`` wrote."""
    pools = []
    for line in path.read_text(encoding="utf-8").splitlines():
        problem, demonstration, rejected = json.loads(line)
        pools.append(Pool(Problem(*problem), demonstration, tuple(Rejected(*entry) for entry in rejected)))
    return pools
