"""Tournaments of many prompts at once: all advance together, so that the matches of a round are judged in one batch.

The tournament is `selfjudge`'s; this file only carries verdicts to it.
"""

from collections.abc import Callable, Sequence

from selfjudge import Comparison, Contest, Conversation, Tournament
from selfjudge_training.evaluation.judges import Referee, decide


def winners(
    judge: Referee,
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
    while ready := [(number, match) for number, contest in enumerate(contests) for match in contest.ready()]:
        asked = [
            Comparison(conversations[number], groups[number][match.first], groups[number][match.second])
            for number, match in ready
        ]
        for (number, match), verdict in zip(ready, decide(judge, asked), strict=True):
            contests[number].report(match, verdict.winner, verdict.probability_a)
    return [contest.ranking()[0] for contest in contests]
