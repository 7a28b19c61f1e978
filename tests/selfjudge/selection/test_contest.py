"""What the knockout tournament and the round robin must hold to, whatever the judge and the order of events."""

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfjudge import Contest, Match, Record, RoundRobin, Tournament, TournamentError, Winner

Judge = Callable[[Match], tuple[Winner, float]]
SIZES = st.integers(1, 20)
SEEDS = st.integers(0, 2**32)
BOTH = pytest.mark.parametrize("kind", [Tournament, RoundRobin])


def by_strength(match: Match) -> tuple[Winner, float]:
    """A consistent judge: the higher number is the better candidate."""
    return ("A", 0.8) if match.first > match.second else ("B", 0.2)


def always_tied(_: Match) -> tuple[Winner, float]:
    return "tie", 0.5


def play(
    contest: Contest,
    judge: Judge,
    order: random.Random,
    failing: frozenset[int] = frozenset(),
    demoted: frozenset[int] = frozenset(),
) -> list[Match]:
    """Let candidates arrive or fail and matches be reported in some order until nothing is left to do."""
    waiting, running, played = list(range(contest.n)), contest.ready(), []
    assert running == []
    while waiting or running:
        pick = order.randrange(len(waiting) + len(running))
        if pick < len(waiting):
            candidate = waiting.pop(pick)
            if candidate in demoted:
                contest.demote(candidate)
            (contest.fail if candidate in failing else contest.arrive)(candidate)
        else:
            match = running.pop(pick - len(waiting))
            contest.report(match, *judge(match))
            played.append(match)
        running += contest.ready()
    return played


@BOTH
@given(n=SIZES, seed=SEEDS, order=st.randoms(use_true_random=False), data=st.data())
def test_with_a_consistent_judge_the_ranking_is_a_sort(
    kind: type[Contest], n: int, seed: int, order: random.Random, data: st.DataObject
) -> None:
    top = data.draw(st.integers(1, n))
    failing = data.draw(st.frozensets(st.integers(0, n - 1)))
    contest = kind(n, seed=seed, top=top)
    play(contest, by_strength, order, failing)
    assert contest.done
    assert contest.ranking() == sorted(set(range(n)) - failing, reverse=True)[:top]
    assert contest.standing()[:top] == contest.ranking()


@BOTH
@given(n=SIZES, seed=SEEDS, order=st.randoms(use_true_random=False), data=st.data())
def test_no_judge_and_no_failure_can_hang_it(
    kind: type[Contest], n: int, seed: int, order: random.Random, data: st.DataObject
) -> None:
    top = data.draw(st.integers(1, n))
    failing = data.draw(st.frozensets(st.integers(0, n - 1)))
    outcomes = random.Random(seed)
    contest = kind(n, seed=seed, top=top)
    played = play(contest, lambda _: (outcomes.choice(["A", "B", "tie"]), outcomes.random()), order, failing)
    assert contest.done
    assert len(set(contest.ranking())) == len(contest.ranking()) == min(top, n - len(failing))
    assert not failing.intersection(contest.ranking())
    assert len({frozenset((match.first, match.second)) for match in played}) == len(played)
    assert not any(record.reason == "pending" for record in contest.records())


@given(n=SIZES, seed=SEEDS, order=st.randoms(use_true_random=False), data=st.data())
def test_the_title_takes_few_matches(n: int, seed: int, order: random.Random, data: st.DataObject) -> None:
    failing = data.draw(st.frozensets(st.integers(0, n - 1)))
    contest = Tournament(n, seed=seed)
    played = play(contest, by_strength, order, failing)
    assert len(played) == max(0, n - len(failing) - 1)
    for candidate in range(n):
        assert sum(candidate in (match.first, match.second) for match in played) <= math.ceil(math.log2(n))
    assert all(1 <= match.round <= contest.rounds == math.ceil(math.log2(n)) for match in played)


@given(n=SIZES, seed=SEEDS, data=st.data())
def test_each_further_place_takes_few_more(n: int, seed: int, data: st.DataObject) -> None:
    top = data.draw(st.integers(1, n))
    played = play(Tournament(n, seed=seed, top=top), by_strength, random.Random(seed))
    assert len(played) <= n - 1 + (top - 1) * max(0, math.ceil(math.log2(n)) - 1)


@given(n=SIZES, seed=SEEDS, order=st.randoms(use_true_random=False))
def test_the_runner_up_lost_to_the_winner(n: int, seed: int, order: random.Random) -> None:
    outcomes = {}

    def arbitrary(match: Match) -> tuple[Winner, float]:
        pair = frozenset((match.first, match.second))
        outcomes[pair] = random.Random(hash((seed, *sorted(pair)))).choice((match.first, match.second))
        return ("A", 0.9) if outcomes[pair] == match.first else ("B", 0.1)

    contest = Tournament(n, seed=seed, top=min(2, n))
    play(contest, arbitrary, order)
    if n > 1:
        winner, second = contest.ranking()
        assert outcomes[frozenset((winner, second))] == winner


@BOTH
@given(n=SIZES, seed=SEEDS, order=st.randoms(use_true_random=False), data=st.data())
def test_who_is_demoted_comes_behind_all_others_and_is_judged_among_their_like_alone(
    kind: type[Contest], n: int, seed: int, order: random.Random, data: st.DataObject
) -> None:
    top = data.draw(st.integers(1, n))
    failing, demoted = (data.draw(st.frozensets(st.integers(0, n - 1))) for _ in "ab")
    contest = kind(n, seed=seed, top=top)
    played = play(contest, by_strength, order, failing, demoted)
    assert contest.done
    assert contest.ranking() == sorted(set(range(n)) - failing, key=lambda one: (one in demoted, -one))[:top]
    assert contest.standing()[:top] == contest.ranking()
    assert all((match.first in demoted) == (match.second in demoted) for match in played)
    for record in contest.records():
        if record.reason == "constraint":
            assert {record.first in demoted, record.second in demoted} == {False, True}
            assert (record.winner in demoted, record.probability_a) == (False, None)


@BOTH
@given(n=SIZES, seed=SEEDS, data=st.data())
def test_at_any_time_the_best_so_far_is_demoted_only_where_all_are(
    kind: type[Contest], n: int, seed: int, data: st.DataObject
) -> None:
    demoted = data.draw(st.frozensets(st.integers(0, n - 1)))
    contest, outcomes = kind(n, seed=seed), random.Random(seed)
    for candidate in data.draw(st.permutations(range(n))):
        if candidate in demoted:
            contest.demote(candidate)
        contest.arrive(candidate)
        for match in contest.ready()[: data.draw(st.integers(0, 2))]:
            contest.report(match, outcomes.choice(["A", "B", "tie"]), 0.5)
        standing = [one in demoted for one in contest.standing()]
        assert standing == sorted(standing)


@BOTH
@given(n=SIZES, seed=SEEDS, orders=st.tuples(*[st.randoms(use_true_random=False)] * 2), data=st.data())
def test_the_same_seed_gives_the_same_matches_whatever_the_order(
    kind: type[Contest], n: int, seed: int, orders: tuple[random.Random, random.Random], data: st.DataObject
) -> None:
    failing, demoted = (data.draw(st.frozensets(st.integers(0, n - 1))) for _ in "ab")
    one, other = kind(n, seed=seed), kind(n, seed=seed)
    for contest, order in zip((one, other), orders, strict=True):
        play(contest, by_strength, order, failing, demoted)
    assert one.seats == other.seats
    assert sorted(map(repr, one.records())) == sorted(map(repr, other.records()))


def test_seeds_differ() -> None:
    assert len({Tournament(16, seed=seed).seats for seed in range(20)}) == 20


@BOTH
@given(n=SIZES, seed=SEEDS, order=st.randoms(use_true_random=False))
def test_ties_go_to_the_lower_bracket_position(kind: type[Contest], n: int, seed: int, order: random.Random) -> None:
    contest = kind(n, seed=seed, top=n)
    play(contest, always_tied, order)
    assert tuple(contest.ranking()) == contest.seats
    assert all(record.outcome == "tie" and record.winner == record.first for record in contest.records())


def test_the_bracket_as_data() -> None:
    contest = Tournament(3, seed=5)
    low, middle, high = contest.seats
    contest.arrive(high)
    contest.fail(middle)
    assert [(r.first, r.second, r.reason, r.round, r.winner) for r in contest.records()] == [
        (high, None, "walkover", 1, high)
    ]
    contest.arrive(low)
    (final,) = contest.ready()
    assert final == Match(low, high, place=1, round=2)
    assert [record.reason for record in contest.records()] == ["walkover", "pending"]
    contest.report(final, "tie", 0.5, "identical")
    assert contest.records()[1] == Record(1, 2, low, high, "tie", 0.5, low, "identical")
    assert contest.done


def test_a_single_candidate_wins_by_arriving() -> None:
    contest = Tournament(1, seed=0)
    assert (contest.done, contest.standing()) == (False, [])
    contest.arrive(0)
    assert (contest.done, contest.ranking(), contest.records()) == (True, [0], [])


@BOTH
def test_when_all_fail_nobody_wins(kind: type[Contest]) -> None:
    contest = kind(3, seed=0)
    for candidate in range(3):
        contest.fail(candidate)
    assert (contest.done, contest.ranking(), contest.standing(), contest.records()) == (True, [], [], [])


def test_the_standing_prefers_the_unbeaten_then_those_who_won_most() -> None:
    contest = Tournament(8, seed=3)
    for candidate in contest.seats[:5]:
        contest.arrive(candidate)
    assert tuple(contest.standing()) == contest.seats[:5]
    first, second = contest.ready()
    contest.report(first, "B", 0.1)
    assert contest.standing() == [contest.seats[i] for i in (1, 2, 3, 4, 0)]
    contest.report(second, "A", 0.9)
    (semifinal,) = contest.ready()
    assert (semifinal.first, semifinal.second) == (contest.seats[1], contest.seats[2])
    contest.report(semifinal, "B", 0.3)
    assert contest.standing() == [contest.seats[i] for i in (2, 4, 1, 0, 3)]


def test_of_a_match_without_verdict_goes_on_who_has_won_more_and_else_the_first() -> None:
    contest = Tournament(8, seed=3)
    for candidate in range(8):
        contest.arrive(candidate)
    seats = contest.seats
    first, second, *others = sorted(contest.ready(), key=lambda match: seats.index(match.first))
    contest.leave_open(first)
    contest.report(second, "B", 0.1)
    (semifinal,) = contest.ready()
    assert (semifinal.first, semifinal.second) == (seats[0], seats[3])
    contest.leave_open(semifinal)
    for match in others:
        contest.leave_open(match)
    (other,) = contest.ready()
    contest.leave_open(other)
    (final,) = contest.ready()
    assert (final.first, final.second) == (seats[3], seats[4])
    contest.leave_open(final)
    assert contest.ranking() == [seats[3]]
    assert [record.reason for record in contest.records()].count("unreadable") == 6
    assert {(record.outcome, record.probability_a) for record in contest.records()} == {(None, None), ("B", 0.1)}
    # Nobody is known to be worse for a match that was left open.
    assert contest.standing()[-1] == seats[2]
    with pytest.raises(TournamentError, match="was reported before"):
        contest.leave_open(final)


def test_a_round_robin_counts_ties_half_and_then_likelihood() -> None:
    contest = RoundRobin(3, seed=0, top=3)
    x, y, z = contest.seats
    for candidate in range(3):
        contest.arrive(candidate)
    outcomes: dict[tuple[int, int], tuple[Winner, float]] = {
        (x, y): ("A", 0.6),
        (x, z): ("B", 0.1),
        (y, z): ("A", 0.7),
    }
    assert contest.ranking() == []
    for match in contest.ready():
        contest.report(match, *outcomes[match.first, match.second])
    assert contest.ranking() == [z, y, x]


@BOTH
def test_misuse_is_an_error(kind: type[Contest]) -> None:
    for n, top in ((0, 1), (2, 3), (2, 0)):
        with pytest.raises(TournamentError, match=f"1 <= top <= n must hold, but top is {top} and n is {n}"):
            kind(n, seed=0, top=top)
    contest = kind(2, seed=0)
    with pytest.raises(TournamentError, match="candidate 2 is none of 0 to 1"):
        contest.arrive(2)
    contest.arrive(0)
    for again in (contest.arrive, contest.fail, contest.demote):
        with pytest.raises(TournamentError, match="candidate 0 has arrived or failed before"):
            again(0)
    contest.arrive(1)
    low, high = contest.seats
    match = Match(low, high, place=1, round=1)
    with pytest.raises(TournamentError, match="was not handed out"):
        contest.report(match, "A", 0.9)
    assert contest.ready() == [match]
    assert contest.ready() == []
    with pytest.raises(TournamentError, match="was not handed out"):
        contest.report(Match(high, low, place=1, round=1), "A", 0.9)
    contest.report(match, "A", 0.9)
    with pytest.raises(TournamentError, match="was reported before"):
        contest.report(match, "A", 0.9)
