"""Ways to pick one of N samples, compared on the same samples: tournament, round robin, majority vote, best of N.

The contests are ``selfjudge``'s own, judged by the model.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations

from selfjudge_training.evaluation.policy.contests import winners
from selfjudge_training.rollouts.judge import Judge

from selfjudge import Contest, Tournament

Groups = Sequence[Sequence[str]]
"""For each prompt, its N samples."""


def contest_winners(
    judge: Judge,
    prompts: Sequence[str],
    groups: Groups,
    seed: int,
    kind: Callable[..., Contest] = Tournament,
) -> list[str]:
    """The winner of each prompt's contest."""
    return [group[best] for group, best in zip(groups, winners(judge, prompts, groups, seed, kind), strict=True)]


def majority_votes(groups: Groups, seed: int) -> list[str]:
    """The most frequent sample of each prompt; among equally frequent ones, one at random."""
    rng = random.Random(seed)
    return [_vote(group, rng) for group in groups]


def _vote(group: Sequence[str], rng: random.Random) -> str:
    counts = Counter(group)
    most = max(counts.values())
    return rng.choice([text for text, count in counts.items() if count == most])


def different_pairs(groups: Groups) -> list[tuple[int, str, str]]:
    """Every unordered pair of different samples to one prompt, as prompt number and two texts in order of sampling."""
    return [
        (number, first, second)
        for number, group in enumerate(groups)
        for first, second in combinations(dict.fromkeys(group), 2)
    ]
