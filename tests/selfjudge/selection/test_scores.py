"""Selection by score: any order of arrivals and reports has the same end, and the best so far comes first."""

import random

import pytest

from selfjudge import BestScore, TournamentError


@pytest.mark.parametrize("order", range(5))
def test_the_highest_score_wins_whatever_the_order_of_arrivals_and_reports(order: int) -> None:
    scores = [0.2, 0.9, 0.1, 0.9, 0.5, 0.7]
    method, shuffled = BestScore(6, seed=3, top=2), random.Random(order)
    for candidate in shuffled.sample(range(6), 6):
        method.arrive(candidate)
    asked = method.ready()
    assert sorted(asked) == list(range(6))
    assert method.ready() == []
    for candidate in shuffled.sample(asked, 6):
        assert not method.done
        method.report(candidate, scores[candidate])
    assert method.done
    first_drawn = sorted((1, 3), key=method.seats.index)
    assert method.ranked() == [*first_drawn, 5, 4, 0, 2]
    assert method.scores == dict(enumerate(scores))


def test_a_candidate_can_be_scored_as_soon_as_it_is_there() -> None:
    method = BestScore(3, seed=0)
    method.arrive(2)
    assert method.ready() == [2]
    method.arrive(0)
    assert method.ready() == [0]


def test_the_best_so_far_comes_before_those_without_a_score() -> None:
    method = BestScore(5, seed=0)
    for candidate in (0, 1, 2):
        method.arrive(candidate)
    method.fail(3)
    one, two, three = method.ready()
    method.report(two, 0.1)
    method.leave_open(three)
    assert method.ranked()[0] == two
    assert sorted(method.ranked()[1:]) == sorted((one, three))
    assert not method.done


def test_one_that_breaks_the_form_comes_behind_all_others() -> None:
    method = BestScore(3, seed=0)
    method.demote(1)
    for candidate in range(3):
        method.arrive(candidate)
    for candidate, score in zip(method.ready(), (0.2, 0.9, 0.3), strict=True):
        method.report(candidate, score)
    assert method.ranked() == [2, 0, 1]


def test_a_candidate_that_is_alone_needs_no_score() -> None:
    method = BestScore(1, seed=0)
    method.arrive(0)
    assert (method.ready(), method.done, method.ranked()) == ([], True, [0])


def test_what_was_not_asked_or_was_told_before_is_refused() -> None:
    method = BestScore(2, seed=0)
    method.arrive(0)
    with pytest.raises(TournamentError, match="was not handed out"):
        method.report(0, 0.5)
    method.ready()
    method.report(0, 0.5)
    with pytest.raises(TournamentError, match="was reported before"):
        method.leave_open(0)
    with pytest.raises(TournamentError, match="was not handed out"):
        method.report(1, 0.5)
