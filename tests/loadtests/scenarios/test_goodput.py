"""Goodput, latency against N=1, throughput per core and memory, from requests that were made up."""

from pathlib import Path

import pytest

from loadtests.processes import Look
from loadtests.report import write
from loadtests.scenarios.aiperf import Record
from loadtests.scenarios.cells import Cell, Objectives, Scenario
from loadtests.scenarios.goodput import Measured, is_good, memory, summarise
from loadtests.scenarios.scenario_page import results

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
    (figures,) = summarise([measured(STREAMED, 1.5, (200,) * 8 + (429, 503))], GOALS)
    assert figures.statuses == {200: 8, 429: 1, 503: 1}
    assert figures.good == 0.8
    assert figures.answer.p95 == 1.5
    assert figures.per_core == pytest.approx(8 / 6)


def test_nobody_answered() -> None:
    (figures,) = summarise([measured(STREAMED, 1.0, (429, 429))], GOALS)
    assert (figures.good, figures.answer.p50) == (0, 0)


def test_the_page_has_a_column_for_each_number_of_candidates(tmp_path: Path) -> None:
    scenario = Scenario(about="All.", best_of_n=[1, 4], rates=[2], prompts=["tasks"], streaming=[True], seconds=5)
    runs = [measured(STREAMED._replace(best_of_n=1), 0.25), measured(STREAMED, 1.5, (200,) * 9 + (429,))]
    raw, page, plot = write(tmp_path, {}, results(GOALS, {"small": (scenario, runs)}))
    told = page.read_text()
    assert "| load | N=1 | N=4 |" in told
    assert "| 100%; 0.100, 0.100; 0.250, 0.250; 1.7 | 90%; 0.100, 0.100; 1.500, 1.500; 1.5; 1 x 429 |" in told
    assert "Memory" not in told
    assert raw.exists()
    assert plot.stat().st_size > 1000


def test_long_cells_tell_of_memory(tmp_path: Path) -> None:
    scenario = Scenario(about="Long.", best_of_n=[4], rates=[2], prompts=["tasks"], streaming=[True], seconds=600)
    runs = {"soak": (scenario, [measured(scenario.cells()[0], 0.25)])}
    _, page, _ = write(tmp_path, {}, results(GOALS, runs))
    told = " ".join(page.read_text().split())
    assert "Memory at N=4, 2/s, tasks, streamed: 100 MiB at first, 100 MiB at last, +0.0 MiB" in told
    assert "which is flat (below 1%)" in told


def test_memory_that_settles_is_flat_and_memory_that_grows_is_not() -> None:
    settling = [Look(at, 1000.0 + (0 if at >= 100 else 50 * at / 100), 0.0) for at in range(0, 600, 5)]
    assert memory(settling).flat
    growing = [Look(at, 1000.0 + 0.1 * at, 0.0) for at in range(0, 600, 5)]
    assert not memory(growing).flat
    assert memory(growing).growth == pytest.approx(0.1 * 445, rel=0.02)
