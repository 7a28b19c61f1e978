"""The bracket as an outsider plays it, against the server's own way of playing it."""

import random

import pytest

from loadtests.benchmark.bracket import Pair, play
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

        winners = [await play(texts, n, judge_round, thrifty=thrifty) for thrifty in (False, True)]
        assert winners == [tournament.ranking()[0]] * 2


class Rounds:
    """A judge that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[Pair]] = []

    async def judge(self, pairs: list[Pair]) -> list[Verdict]:
        self.asked.append(pairs)
        return [prefer_longer(pair) for pair in pairs]


@pytest.mark.parametrize("thrifty", [False, True])
async def test_rounds_are_judged_together(*, thrifty: bool) -> None:
    rounds = Rounds()
    await play(["x" * length for length in range(1, 9)], 0, rounds.judge, thrifty=thrifty)
    assert [len(pairs) for pairs in rounds.asked] == [4, 2, 1]


async def test_who_is_thrifty_judges_no_equal_texts_and_no_two_texts_twice() -> None:
    plain, thrifty, same = Rounds(), Rounds(), Rounds()
    texts = ["x", "xx"] * 4
    await play(texts, 0, plain.judge, thrifty=False)
    await play(texts, 0, thrifty.judge, thrifty=True)
    await play(["same"] * 8, 0, same.judge, thrifty=True)
    assert sum(map(len, plain.asked)) == 7
    assert sum(map(len, thrifty.asked)) == 1
    assert same.asked == []
