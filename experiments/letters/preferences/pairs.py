"""Preference data from samples: for each prompt, a demonstration, and the wrong answers that checkpoints gave to it.

As in the paper, D_SFT is made of chosen responses, here the better graded of two samples of a weak checkpoint
(so the demonstrations, and the policy that imitates them, are often wrong), and D_Judge of pairs (x, y_w, y_l) of
which the grade says which is better. Every task has exactly one right answer, so all right samples of a prompt are
one text, its answer, and a pool only needs to list the wrong ones.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from selfjudge_training.rollouts.judge import Judge

from experiments.letters.letters_recipe import Finetuning
from experiments.letters.model import asked
from experiments.letters.preferences.rows import Row
from experiments.letters.preferences.wrong import TRAINED, attack
from experiments.letters.tasks import Problem, grade
from selfjudge import Comparison

SYSTEM_MESSAGES = 0.3
"""Share of dialogues that open with the default system message, here and in pre-training."""


class Pool(NamedTuple):
    """What is known about one prompt."""

    problem: Problem
    demonstration: str | None
    """The chosen response of D_SFT; None where the pool only serves the judge."""
    wrong: dict[str, float]
    """Wrong answers with their weights: how often each is to be met, relative to others."""


def make_pool(problem: Problem, answers: Sequence[str], *, shown: int = 0) -> Pool:
    """Sort answers into a pool; the best graded of the first so many, the first of equals, is the demonstration."""
    best = max(answers[:shown], key=lambda text: grade(problem, text), default=None)
    wrong = Counter(text for text in answers if text != problem.answer)
    # The square root: answers sampled over and over are met more often, but do not crowd out the others.
    return Pool(problem, best, {text: count**0.5 for text, count in wrong.items()})


def weigh_up(judge: Judge, pools: Sequence[Pool], emphasis: float) -> tuple[list[Pool], float]:
    """Mine hard pairs: multiply each wrong answer's weight by 1 + ``emphasis`` * P(the judge prefers it).

    A knockout tournament fails where one wrong answer beats the right one, so that is what is looked for. Returns the
    pools and the judge's accuracy on these pairs, each answer counting once.
    """
    verdicts = judge.verdicts(
        [Comparison(pool.problem.prompt, pool.problem.answer, text) for pool in pools for text in pool.wrong]
    )
    factors = iter([1 + emphasis * (1 - verdict.probability_a) for verdict in verdicts])
    weighed = [
        pool._replace(wrong={text: weight * next(factors) for text, weight in pool.wrong.items()}) for pool in pools
    ]
    return weighed, sum(verdict.winner == "A" for verdict in verdicts) / max(1, len(verdicts))


def preference_rows(pools: Sequence[Pool], plan: Finetuning, seed: int) -> Iterator[Row]:
    """D_Judge of a round, in format `preferences`: a prompt is met in proportion to the weight of its wrong answers."""
    rng = random.Random(f"pairs:{seed}")
    judged = [pool for pool in pools if pool.wrong]
    for pool in rng.choices(judged, [sum(pool.wrong.values()) for pool in judged], k=plan.steps * plan.pairs):
        chosen, rejected = _draw_pair(pool, rng, plan)
        if rng.random() < plan.attack_share:
            rejected = attack(rng.choice(TRAINED), rejected, rng)
        yield {"prompt": pool.problem.prompt, "chosen": chosen, "rejected": rejected}


def demonstration_rows(pools: Sequence[Pool], plan: Finetuning, seed: int) -> Iterator[Row]:
    """D_SFT of a round, likewise; only what is chosen is read."""
    rng = random.Random(f"demonstrations:{seed}")
    for pool in rng.choices([pool for pool in pools if pool.demonstration], k=plan.steps * plan.dialogues):
        prompt = asked(pool.problem.prompt, system=rng.random() < SYSTEM_MESSAGES)
        yield {"prompt": prompt, "chosen": pool.demonstration, "rejected": ""}


def _draw_pair(pool: Pool, rng: random.Random, plan: Finetuning) -> tuple[str, str]:
    """Chosen and rejected; a share of pairs compares two wrong answers by their grades."""
    [worse] = rng.choices(list(pool.wrong), list(pool.wrong.values()))
    if rng.random() < plan.graded_share:
        least = grade(pool.problem, worse) + plan.least_gap
        better = [text for text in pool.wrong if grade(pool.problem, text) >= least]
        if better:
            return rng.choice(better), worse
    return pool.problem.answer, worse
