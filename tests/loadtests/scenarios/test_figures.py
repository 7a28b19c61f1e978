"""Goodput, latency against N=1, throughput per core and memory, from requests that were made up."""

import pytest

from loadtests.scenarios.aiperf import Record
from loadtests.scenarios.figures import is_good, memory, summarise
from loadtests.scenarios.run import Measured
from loadtests.scenarios.settings import Cell, Objectives
from loadtests.scenarios.watch import Look

GOALS = Objectives(first_progress_seconds=0.5, answer_seconds=2.0)
STREAMED = Cell(4, 2.0, "tasks", streaming=True, swap_seconds=None, seconds=5)
GOOD = Record(sent=0.0, status=200, seconds=1.5, progress=0.4, late=0.001)


@pytest.mark.parametrize(
    ("record", "good"),
    [
        (GOOD, True),
        (GOOD._replace(seconds=2.1), False),
        (GOOD._replace(progress=0.6), False),
        (GOOD._replace(progress=None), False),
        (GOOD._replace(status=429), False),
        (GOOD._replace(status=0), False),
    ],
)
def test_a_streamed_request_must_meet_both_objectives(record: Record, good: bool) -> None:
    assert is_good(record, STREAMED, GOALS) is good


def test_a_whole_answer_has_one_objective() -> None:
    assert is_good(GOOD._replace(progress=None), STREAMED._replace(streaming=False), GOALS)


def measured(cell: Cell, seconds: float, statuses: tuple[int, ...] = (200,) * 10) -> Measured:
    records = [Record(index / 2, status, seconds, 0.1, 0.002) for index, status in enumerate(statuses)]
    looks = [Look(0.0, 100.0, 10.0), Look(5.0, 100.0, 16.0)]
    return Measured(cell, records, looks, 0)


def test_figures_of_a_cell() -> None:
    plain, tournament = STREAMED._replace(best_of_n=1), STREAMED
    refused = (200,) * 8 + (429, 503)
    one, four = summarise([measured(plain, 0.25), measured(tournament, 1.5, refused)], GOALS)
    assert one.over_plain is None
    assert four.over_plain == 6.0
    assert four.statuses == {200: 8, 429: 1, 503: 1}
    assert four.good == 0.8
    # The last was sent after 4.5 s and took 1.5.
    assert four.answered == four.goodput == pytest.approx(8 / 6)
    assert four.cores == pytest.approx(1.0)
    assert four.per_core == pytest.approx(8 / 6)


def test_latency_is_compared_with_the_same_cell_only() -> None:
    other_rate = STREAMED._replace(best_of_n=1, rate=9.0)
    figures = summarise([measured(other_rate, 0.25), measured(STREAMED, 1.5)], GOALS)
    assert figures[1].over_plain is None


def test_nobody_answered() -> None:
    (figures,) = summarise([measured(STREAMED, 1.0, (429, 429))], GOALS)
    assert (figures.answered, figures.good, figures.answer) == (0, 0, None)


def test_memory_that_settles_is_flat_and_memory_that_grows_is_not() -> None:
    settling = [Look(at, 1000.0 + (0 if at >= 100 else 50 * at / 100), 0.0) for at in range(0, 600, 5)]
    assert memory(settling).flat
    growing = [Look(at, 1000.0 + 0.1 * at, 0.0) for at in range(0, 600, 5)]
    assert not memory(growing).flat
    assert memory(growing).growth == pytest.approx(0.1 * 445, rel=0.02)
