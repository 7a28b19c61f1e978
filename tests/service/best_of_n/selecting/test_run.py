"""Selections by matches, run over candidates and verdicts that come when a test lets them."""

import asyncio
import math
import time
from collections import Counter as Counted
from collections import defaultdict
from typing import TypeVar

import pytest
from selfjudge_service.best_of_n.judging.judge import Judged
from selfjudge_service.best_of_n.sampler import SampleError
from selfjudge_service.best_of_n.selecting.matches import Compare, Matches
from selfjudge_service.best_of_n.selecting.run import Bring, Progress, SelectionResult, run_selection
from selfjudge_service.protocol.errors import ApiError, NotFiniteError
from vllm.entrypoints.serve import create_error_response

from selfjudge import PrincipleVerdict, Reading, Tournament, Verdict
from tests.service.conftest import Counter
from tests.service.fakes import quality, settle

_T = TypeVar("_T")
FAILURE = SampleError(create_error_response("the engine refused"))


def verdict(first: str, second: str) -> Judged:
    """The one of higher quality wins."""
    lead = quality(first) - quality(second)
    at_a, at_b = Reading(-0.1, -2.4), Reading(-2.4, -0.1)
    both = (at_a, at_b) if lead > 0 else (at_b, at_a) if lead < 0 else (at_a, at_a)
    return Judged(Verdict.of([PrincipleVerdict(None, *both)]), None, 20, 5)


class Stage:
    """Candidates and verdicts that come when a test lets them."""

    def __init__(self) -> None:
        self.texts: dict[int, asyncio.Future[str]] = defaultdict(asyncio.Future)
        self.matches: dict[tuple[str, str], asyncio.Future[Judged]] = {}
        self.at_work = 0

    async def bring(self, candidate: int) -> str:
        return await self._until(self.texts[candidate])

    async def compare(self, first: str, second: str) -> Judged:
        self.matches[first, second] = asyncio.Future()
        return await self._until(self.matches[first, second])

    async def _until(self, future: asyncio.Future[_T]) -> _T:
        self.at_work += 1
        try:
            return await future
        finally:
            self.at_work -= 1

    def arrive(self, candidate: int, text: str | None = None) -> None:
        self.texts[candidate].set_result(text or f"answer {candidate}")

    async def judge_all(self) -> None:
        """Gives a verdict on every match under way, and on those that follow."""
        while waiting := [pair for pair, future in self.matches.items() if not future.done()]:
            for pair in waiting:
                self.matches[pair].set_result(verdict(*pair))
            await settle()


async def run_tournament(
    tournament: Tournament,
    bring: Bring,
    compare: Compare,
    *,
    deadline_seconds: float | None = None,
    progress: Progress | None = None,
) -> SelectionResult:
    asking = Matches(tournament, compare)
    return await run_selection(asking, bring, deadline_seconds=deadline_seconds, progress=progress)


async def instant(candidate: int) -> str:
    return f"answer {candidate}"


async def judge(first: str, second: str) -> Judged:
    return verdict(first, second)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 64])
async def test_the_best_wins(n: int) -> None:
    result = await run_tournament(Tournament(n, seed=1), instant, judge)
    assert result.ranking == [n - 1]
    assert len(result.judged) == n - 1
    assert (result.failures, result.deadline_reached) == ({}, False)
    assert result.texts == {candidate: f"answer {candidate}" for candidate in range(n)}


async def test_the_top_n_come_in_order() -> None:
    result = await run_tournament(Tournament(9, seed=3, top=4), instant, judge)
    assert result.ranking == [8, 7, 6, 5]


async def test_a_match_starts_as_soon_as_both_of_its_sides_are_there() -> None:
    stage, tournament = Stage(), Tournament(4, seed=0)
    a, b, c, d = tournament.seats
    running = asyncio.create_task(run_tournament(tournament, stage.bring, stage.compare))
    await settle()
    stage.arrive(a)
    await settle()
    assert stage.matches == {}
    stage.arrive(c)
    await settle()
    assert stage.matches == {}, "the seats of a and c do not meet in the first round"
    stage.arrive(b)
    await settle()
    assert list(stage.matches) == [(f"answer {a}", f"answer {b}")], "d is still being sampled"
    await stage.judge_all()
    stage.arrive(d)
    await settle()
    await stage.judge_all()
    assert (await running).ranking == [3]


async def test_all_matches_of_a_round_are_judged_at_the_same_time() -> None:
    stage = Stage()
    running = asyncio.create_task(run_tournament(Tournament(8, seed=0), stage.bring, stage.compare))
    for candidate in range(8):
        stage.arrive(candidate)
    await settle()
    assert len(stage.matches) == 4
    await stage.judge_all()
    assert (await running).ranking == [7]


async def test_a_failed_sample_is_reported_and_whom_it_would_have_met_goes_on() -> None:
    async def bring(candidate: int) -> str:
        if candidate == 3:
            raise FAILURE
        return await instant(candidate)

    result = await run_tournament(Tournament(4, seed=2), bring, judge)
    assert result.ranking == [2]
    assert result.failures == {3: FAILURE}
    assert sorted(result.texts) == [0, 1, 2]


async def test_where_all_samples_fail_nobody_is_ranked() -> None:
    async def bring(candidate: int) -> str:
        raise FAILURE

    result = await run_tournament(Tournament(3, seed=0), bring, judge)
    assert (result.ranking, sorted(result.failures)) == ([], [0, 1, 2])


async def test_identical_candidates_are_not_judged(counted: Counter) -> None:
    async def bring(candidate: int) -> str:
        return "the same"

    async def never(first: str, second: str) -> Judged:
        raise AssertionError("nothing is to be judged")

    result = await run_tournament(Tournament(4, seed=0), bring, never)
    assert result.judged == []
    assert {record.reason for record in result.records} == {"identical"}
    assert result.ranking == [Tournament(4, seed=0).seats[0]]
    assert counted("selfjudge_duplicates_total", kind="identical") == 3


@pytest.mark.parametrize("seed", range(8))
async def test_two_texts_that_met_before_are_not_judged_again(seed: int, counted: Counter) -> None:
    """Two texts, three of each: whoever meets whom, and the other way round or not, one judgment tells all."""
    asked = []

    async def bring(candidate: int) -> str:
        return f"answer {candidate % 2}"

    async def compare(first: str, second: str) -> Judged:
        asked.append((first, second))
        await settle()
        return verdict(first, second)

    tournament = Tournament(6, seed=seed, top=3)
    result = await run_tournament(tournament, bring, compare)
    assert len(asked) == len(result.judged) == 1
    assert [result.texts[candidate] for candidate in result.ranking] == ["answer 1"] * 3
    reasons = Counted(record.reason for record in result.records)
    assert counted("selfjudge_duplicates_total", kind="repeated") == reasons["repeated"]
    for record in result.records:
        if record.reason == "repeated":
            assert record.winner is not None
            assert result.texts[record.winner] == "answer 1"


async def test_a_deadline_cancels_the_rest_and_returns_the_best_so_far() -> None:
    stage, tournament = Stage(), Tournament(4, seed=0)
    a, b, *_ = tournament.seats
    stage.arrive(a, "answer 1")
    stage.arrive(b, "answer 2")
    running = asyncio.create_task(run_tournament(tournament, stage.bring, stage.compare, deadline_seconds=0.2))
    await settle()
    await stage.judge_all()
    result = await running
    assert (result.ranking, result.deadline_reached) == ([b], True)
    assert sorted(result.texts) == sorted([a, b])
    assert result.failures == {}
    assert stage.at_work == 0


async def test_a_deadline_in_the_moment_of_the_last_verdict_is_not_reached(counted: Counter) -> None:
    stage = Stage()
    running = asyncio.create_task(
        run_tournament(Tournament(2, seed=0), stage.bring, stage.compare, deadline_seconds=0.05)
    )
    stage.arrive(0)
    stage.arrive(1)
    await settle()
    ((pair, told),) = stage.matches.items()
    time.sleep(0.1)  # noqa: ASYNC251  the deadline passes while the loop is kept from seeing it
    told.set_result(verdict(*pair))
    assert ((await running).ranking, running.result().deadline_reached) == ([1], False)
    assert counted("selfjudge_deadlines_total") == 0


async def test_a_deadline_before_any_candidate_leaves_an_empty_ranking() -> None:
    result = await run_tournament(Tournament(2, seed=0), Stage().bring, judge, deadline_seconds=0.01)
    assert (result.ranking, result.deadline_reached) == ([], True)


async def test_a_deadline_that_is_not_reached_changes_nothing() -> None:
    result = await run_tournament(Tournament(4, seed=0), instant, judge, deadline_seconds=60)
    assert (result.ranking, result.deadline_reached) == ([3], False)


async def test_a_timeout_inside_the_work_is_an_error_and_no_deadline() -> None:
    async def compare(first: str, second: str) -> Judged:
        raise TimeoutError("the engine's own")

    with pytest.raises(TimeoutError, match="the engine's own"):
        await run_tournament(Tournament(2, seed=0), instant, compare, deadline_seconds=60)


async def test_cancelling_the_caller_cancels_all_work() -> None:
    stage = Stage()
    stage.arrive(0)
    stage.arrive(1)
    running = asyncio.create_task(run_tournament(Tournament(4, seed=0, top=2), stage.bring, stage.compare))
    await settle()
    assert stage.at_work > 0
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert stage.at_work == 0


async def test_an_error_in_a_judgment_comes_out_alone_and_cancels_all_work() -> None:
    stage = Stage()
    stage.arrive(0)

    async def bring(candidate: int) -> str:
        return await (instant(candidate) if candidate < 2 else stage.bring(candidate))

    async def compare(first: str, second: str) -> Judged:
        raise ApiError("can't be judged")

    tournament = next(one for seed in range(99) if set((one := Tournament(4, seed=seed)).seats[:2]) == {0, 1})
    with pytest.raises(ApiError, match="can't be judged"):
        await run_tournament(tournament, bring, compare)
    assert stage.at_work == 0


async def test_a_comparison_that_cannot_be_read_fails_alone() -> None:
    async def compare(first: str, second: str) -> Judged:
        if "answer 5" in (first, second):
            Reading(math.nan, math.nan)
        return verdict(first, second)

    result = await run_tournament(Tournament(8, seed=0, top=3), instant, compare)
    assert result.ranking[0] in (5, 7)
    assert len(result.ranking) == 3
    unread = [record for record in result.records if record.reason == "unreadable"]
    assert result.unreadable == len(unread) > 0
    assert all(5 in (record.first, record.second) for record in unread)
    assert len(result.verdicts) == len(result.judged)


async def test_what_could_not_be_read_is_not_asked_again() -> None:
    asked = []

    async def bring(candidate: int) -> str:
        return f"answer {candidate % 3}"

    async def compare(first: str, second: str) -> Judged:
        asked.append({first, second})
        await settle()
        if "answer 0" in (first, second):
            Reading(math.nan, math.nan)
        return verdict(first, second)

    result = await run_tournament(Tournament(9, seed=0, top=9), bring, compare)
    assert len(asked) == 3
    assert result.unreadable == 2
    assert sorted(result.ranking) == list(range(9))


async def test_where_nothing_can_be_read_the_model_has_failed() -> None:
    async def compare(first: str, second: str) -> Judged:
        Reading(math.nan, math.nan)
        raise AssertionError

    with pytest.raises(NotFiniteError, match="NaN"):
        await run_tournament(Tournament(4, seed=0), instant, compare)


async def test_progress_is_told_after_each_step() -> None:
    steps: list[dict[str, int]] = []
    await run_tournament(Tournament(4, seed=0), instant, judge, progress=steps.append)
    assert steps[-1] == {"candidates": 4, "matches": 3}
    assert [step["candidates"] for step in steps] == sorted(step["candidates"] for step in steps)
    assert [step["matches"] for step in steps] == sorted(step["matches"] for step in steps)


async def test_its_time_is_measured_and_no_sampling_which_it_knows_nothing_of(counted: Counter) -> None:
    await run_tournament(Tournament(4, seed=0), instant, judge)
    assert counted("selfjudge_sampling_seconds_count") == 0
    assert counted("selfjudge_tournament_seconds_count") == 1
