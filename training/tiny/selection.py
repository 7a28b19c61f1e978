"""Ways to pick one of N samples, compared on the same samples: tournament, round robin, majority vote, best of N.

The contests are ``selfjudge``'s own, judged by the model. All prompts advance together, so that the matches of a round
are judged in one batch.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations

from selfjudge import Comparison, Contest, Match, Tournament
from training.tiny.judge import Judge

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
    contests = [kind(len(group), seed=seed + number) for number, group in enumerate(groups)]
    for contest in contests:
        for candidate in range(contest.n):
            contest.arrive(candidate)
    while open_matches := _ready(contests, groups):
        comparisons = [
            Comparison(prompts[number], groups[number][match.first], groups[number][match.second])
            for number, match in open_matches
        ]
        for (number, match), verdict in zip(open_matches, judge.verdicts(comparisons), strict=True):
            contests[number].report(match, verdict.winner, verdict.probability_a)
    return [group[contest.ranking()[0]] for contest, group in zip(contests, groups, strict=True)]


def _ready(contests: Sequence[Contest], groups: Groups) -> list[tuple[int, Match]]:
    """Every match that needs the judge; those between equal texts are settled on the way."""
    waiting = []
    for number, contest in enumerate(contests):
        while matches := contest.ready():
            for match in matches:
                if groups[number][match.first] == groups[number][match.second]:
                    contest.report(match, "tie", 0.5, "identical")
                else:
                    waiting.append((number, match))
    return waiting


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
