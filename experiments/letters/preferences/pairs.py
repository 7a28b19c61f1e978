"""Preference data from samples: for each prompt, a demonstration, and the wrong answers that checkpoints gave to it.

As in the paper, D_SFT is made of chosen responses, here the better graded of two samples of a weak checkpoint
(so the demonstrations, and the policy that imitates them, are often wrong), and D_Judge of pairs (x, y_w, y_l) of
which the grade says which is better. Every task has exactly one right answer, so all right samples of a prompt are
one text, its answer, and a pool only needs to list the wrong ones.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from selfjudge_training.rollouts.judge import Judge

from experiments.letters.letters_recipe import Finetuning
from experiments.letters.model.pool import SYSTEM_MESSAGE
from experiments.letters.preferences.attacks import HELD_OUT, Attack, attack
from experiments.letters.preferences.rows import Row
from experiments.letters.tasks import Problem, grade
from selfjudge import Comparison

SYSTEM_MESSAGES = 0.3
"""Share of the dialogues that open with the default system message, as in pre-training."""

TRAINED_ATTACKS = tuple(kind for kind in Attack if kind not in HELD_OUT)


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


def make_pool(problem: Problem, demonstrations: Sequence[str], samples: Iterable[str]) -> Pool:
    """Grade samples into a pool; the demonstration is the best of those offered, the first of equals."""
    best = max(demonstrations, key=lambda text: grade(problem, text), default=None)
    wrong = Counter(text for text in (*demonstrations, *samples) if text != problem.answer)
    # The square root: answers sampled over and over are met more often, but do not crowd out the others.
    rejected = tuple(Rejected(text, grade(problem, text), count**0.5) for text, count in wrong.items())
    return Pool(problem, best, rejected)


def weigh_up(judge: Judge, pools: Sequence[Pool], emphasis: float) -> tuple[list[Pool], float]:
    """Mine hard pairs: multiply each rejected answer's weight by 1 + ``emphasis`` * P(the judge prefers it).

    A knockout tournament fails where one wrong answer beats the right one, so that is what is looked for. Returns the
    pools and the judge's accuracy on these pairs, each answer counting once.
    """
    pairs = [
        Comparison(pool.problem.prompt, pool.problem.answer, rejected.text)
        for pool in pools
        for rejected in pool.rejected
    ]
    verdicts = judge.verdicts(pairs)
    fooled = iter([1 - verdict.probability_a for verdict in verdicts])
    weighed = [
        pool._replace(
            rejected=tuple(
                rejected._replace(weight=rejected.weight * (1 + emphasis * next(fooled))) for rejected in pool.rejected
            )
        )
        for pool in pools
    ]
    return weighed, sum(verdict.winner == "A" for verdict in verdicts) / max(1, len(verdicts))


def preference_rows(pools: Sequence[Pool], plan: Finetuning, seed: int) -> Iterator[Row]:
    """D_Judge of a round, in format `preferences`: a prompt is met in proportion to the weight of its wrong answers."""
    rng = random.Random(f"pairs:{seed}")
    judged = [pool for pool in pools if pool.rejected]
    weights = [sum(rejected.weight for rejected in pool.rejected) for pool in judged]
    for pool in rng.choices(judged, weights, k=plan.steps * plan.pairs):
        chosen, rejected = _draw_pair(pool, rng, plan)
        if rng.random() < plan.attack_share:
            rejected = attack(rng.choice(TRAINED_ATTACKS), rejected, rng)
        yield {"prompt": pool.problem.prompt, "chosen": chosen, "rejected": rejected}


def demonstration_rows(pools: Sequence[Pool], plan: Finetuning, seed: int) -> Iterator[Row]:
    """D_SFT of a round, likewise; only what is chosen is read."""
    rng = random.Random(f"demonstrations:{seed}")
    for pool in rng.choices([pool for pool in pools if pool.demonstration], k=plan.steps * plan.dialogues):
        system = [{"role": "system", "content": SYSTEM_MESSAGE}] if rng.random() < SYSTEM_MESSAGES else []
        prompt = [*system, {"role": "user", "content": pool.problem.prompt}]
        yield {"prompt": prompt, "chosen": pool.demonstration, "rejected": ""}


def _draw_pair(pool: Pool, rng: random.Random, plan: Finetuning) -> tuple[str, str]:
    """Chosen and rejected; a share of pairs compares two wrong answers by their grades."""
    worse = rng.choices(pool.rejected, [rejected.weight for rejected in pool.rejected])[0]
    if rng.random() < plan.graded_share:
        better = [other for other in pool.rejected if other.grade >= worse.grade + plan.least_gap]
        if better:
            return rng.choice(better).text, worse.text
    return pool.problem.answer, worse.text


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
