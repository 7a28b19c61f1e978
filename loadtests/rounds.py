"""The bracket as somebody outside the server plays it: all samples first, then round by round.

The bracket is that of `selfjudge`, the same code that the server runs; equal candidates are not judged there or here.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from selfjudge import Tournament, Verdict


class Pair(NamedTuple):
    """Two texts to be compared."""

    first: str
    second: str


JudgeRound = Callable[[list[Pair]], Awaitable[list[Verdict]]]


async def play(texts: Sequence[str], seed: int, judge_round: JudgeRound) -> int:
    """Who wins the tournament among these texts; each round's matches go to `judge_round` together."""
    tournament = Tournament(len(texts), seed=seed)
    for candidate in range(len(texts)):
        tournament.arrive(candidate)
    while not tournament.done:
        to_judge = []
        while matches := tournament.ready():
            for match in matches:
                if texts[match.first] == texts[match.second]:
                    tournament.report(match, "tie", 0.5, "identical")
                else:
                    to_judge.append(match)
        if to_judge:
            verdicts = await judge_round([Pair(texts[match.first], texts[match.second]) for match in to_judge])
            for match, verdict in zip(to_judge, verdicts, strict=True):
                tournament.report(match, verdict.winner, verdict.probability_a)
    return tournament.ranking()[0]
