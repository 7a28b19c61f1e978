"""The bracket as an outsider plays it, against the server's own way of playing it."""

import random

from loadtests.rounds import Pair, play
from selfjudge import PrincipleVerdict, Reading, Tournament, Verdict


def prefer_longer(pair: Pair) -> Verdict:
    lead = float(len(pair.first) - len(pair.second))
    at_a = Reading(-1.0 + min(lead, 0), -1.0 - max(lead, 0))
    at_b = Reading(at_a.logprob_b, at_a.logprob_a)
    return Verdict.of([PrincipleVerdict(None, at_a, at_b)])


async def test_the_winner_is_that_of_a_tournament_played_match_by_match() -> None:
    rng = random.Random(3)
    for n in (1, 2, 5, 8, 16):
        texts = ["x" * rng.randint(1, 9) for _ in range(n)]
        tournament = Tournament(n, seed=n)
        for candidate in rng.sample(range(n), n):
            tournament.arrive(candidate)
        while matches := tournament.ready():
            for match in matches:
                verdict = prefer_longer(Pair(texts[match.first], texts[match.second]))
                tournament.report(match, verdict.winner, verdict.probability_a)

        async def judge_round(pairs: list[Pair]) -> list[Verdict]:
            return [prefer_longer(pair) for pair in pairs]

        assert await play(texts, n, judge_round) == tournament.ranking()[0]


async def test_rounds_are_judged_together_and_equal_texts_never() -> None:
    rounds: list[list[Pair]] = []

    async def judge_round(pairs: list[Pair]) -> list[Verdict]:
        rounds.append(pairs)
        return [prefer_longer(pair) for pair in pairs]

    await play(["x" * length for length in range(1, 9)], 0, judge_round)
    assert [len(pairs) for pairs in rounds] == [4, 2, 1]
    rounds.clear()
    await play(["same"] * 8, 0, judge_round)
    assert not rounds
