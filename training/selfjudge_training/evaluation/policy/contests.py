"""Tournaments of many prompts at once: all advance together, so that the matches of a round are judged in one batch.

The tournament is `selfjudge`'s; this file only carries verdicts to it.
"""

from collections.abc import Callable, Sequence

from selfjudge import Comparison, Contest, Conversation, Match, Tournament, Verdict
from selfjudge_training.evaluation.judges.judgment import Judge, Judgment
from selfjudge_training.rollouts.judge import Judge as ReferenceJudge


def winners(
    judge: Judge | ReferenceJudge,
    conversations: Sequence[Conversation],
    groups: Sequence[Sequence[str]],
    seed: int,
    kind: Callable[..., Contest] = Tournament,
) -> list[int]:
    """Of each group, the samples to one conversation, the index of the winner; the seed draws the brackets."""
    contests = [kind(len(group), seed=seed + number) for number, group in enumerate(groups)]
    for contest in contests:
        for candidate in range(contest.n):
            contest.arrive(candidate)
    while open_matches := _ready(contests, groups):
        asked = [
            Comparison(conversations[number], groups[number][match.first], groups[number][match.second])
            for number, match in open_matches
        ]
        verdicts: Sequence[Judgment | Verdict] = judge.verdicts(asked)
        for (number, match), verdict in zip(open_matches, verdicts, strict=True):
            contests[number].report(match, verdict.winner, verdict.probability_a)
    return [contest.ranking()[0] for contest in contests]


def _ready(contests: Sequence[Contest], groups: Sequence[Sequence[str]]) -> list[tuple[int, Match]]:
    """Every match that needs the judge, with its contest; those between equal texts are settled on the way."""
    waiting = []
    for number, (contest, group) in enumerate(zip(contests, groups, strict=True)):
        while matches := contest.ready():
            for match in matches:
                if group[match.first] == group[match.second]:
                    contest.report(match, "tie", 0.5, "identical")
                else:
                    waiting.append((number, match))
    return waiting
