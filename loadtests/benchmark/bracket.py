"""The bracket as a client plays it: all samples first, then round by round.

The bracket is that of `selfjudge`, the same code that the server runs.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from selfjudge import Match, Tournament, Verdict


class Pair(NamedTuple):
    """Two texts to be compared."""

    first: str
    second: str


JudgeRound = Callable[[list[Pair]], Awaitable[list[Verdict]]]


async def play(texts: Sequence[str], seed: int, judge_round: JudgeRound, *, thrifty: bool) -> int:
    """Who wins the tournament among these texts; each round's matches go to `judge_round` together.

    `thrifty`: as the server does, equal texts are not judged, and two texts that met before not again.
    """
    tournament = Tournament(len(texts), seed=seed)
    for candidate in range(len(texts)):
        tournament.arrive(candidate)
    verdicts: dict[Pair, Verdict] = {}
    while not tournament.done:
        pairs = {match: Pair(texts[match.first], texts[match.second]) for match in tournament.ready()}
        if thrifty:
            await _learn(verdicts, pairs.values(), judge_round)
            for match, pair in pairs.items():
                _report(tournament, match, verdicts.get(pair))
        else:
            for match, verdict in zip(pairs, await judge_round(list(pairs.values())), strict=True):
                _report(tournament, match, verdict)
    return tournament.ranking()[0]


async def _learn(verdicts: dict[Pair, Verdict], pairs: Iterable[Pair], judge_round: JudgeRound) -> None:
    """Has the pairs judged whose verdict is not known and can't be told from that on the swapped pair."""
    new: dict[frozenset[str], Pair] = {}
    for pair in pairs:
        if pair.first != pair.second and pair not in verdicts:
            new.setdefault(frozenset(pair), pair)
    judged = await judge_round(list(new.values())) if new else []
    for pair, verdict in zip(new.values(), judged, strict=True):
        verdicts[pair], verdicts[Pair(pair.second, pair.first)] = verdict, verdict.swapped()


def _report(tournament: Tournament, match: Match, verdict: Verdict | None) -> None:
    if verdict is None:
        tournament.report(match, "tie", 0.5, "identical")
    else:
        tournament.report(match, verdict.winner, verdict.probability_a)
