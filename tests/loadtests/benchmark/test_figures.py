"""Figures, page and plot from runs that were not measured."""

import json
from pathlib import Path

import pytest

from loadtests.benchmark.contenders import Outcome
from loadtests.benchmark.figures import Cell, Measured, Run, summarise
from loadtests.benchmark.prompts import prompts_for
from loadtests.benchmark.speed_page import results
from loadtests.report import write
from loadtests.workload import Sampling
from selfjudge.shipped import TINY_MODEL

SECONDS = {
    "bound": [4.0, 4.0, 4.0],
    "server": [5.0, 4.0, 8.0],
    "client": [10.0, 10.0, 10.0],
    "thrifty client": [10.0, 6.0, 8.0],
    "sampling": [1.0, 2.0, 1.0],
}


def outcome(name: str, index: int, n: int) -> Outcome:
    winner = 1 if name == "client" and index == 0 else 0
    judgments = 0 if n == 1 else n - 1
    return Outcome(0.1 * (index + 1), winner, 5 * n, judgments, 100 * judgments, 25 * judgments)


def run(name: str, cell: Cell, turn: int) -> Run:
    return Run(SECONDS[name][turn], [outcome(name, index, cell.best_of_n) for index in range(4)])


MEASURED = [
    Measured(cell, turn, {name: run(name, cell, turn) for name in SECONDS})
    for turn in range(3)
    for cell in (Cell(1, 2, 4, "letters"), Cell(16, 2, 4, "letters"))
]


def test_ratios_are_taken_within_a_round_and_then_the_median_of_them() -> None:
    _, figures = summarise(MEASURED)
    assert figures.server_over["bound"] == pytest.approx((0.8, 0.5, 1.0))
    assert figures.server_over["client"] == pytest.approx((2.0, 1.25, 2.5))
    assert figures.server_over["thrifty client"] == pytest.approx((1.5, 1.0, 2.0))
    assert figures.throughput["server"] == pytest.approx((0.8, 0.5, 1.0))
    assert figures.judging_over_sampling == pytest.approx((3.0, 1.0, 3.0))


def test_the_rest_is_of_all_rounds() -> None:
    plain, figures = summarise(MEASURED)
    assert figures.judging == pytest.approx((15, 1500, 0.25))
    assert plain.judging == pytest.approx((0, 0, 0))
    assert figures.same_winner == pytest.approx(0.75)
    assert figures.latency[:2] == pytest.approx((0.3, 0.4))


def test_choices_by_score_have_a_table_where_they_were_measured(tmp_path: Path) -> None:
    by_score = [one._replace(runs={**one.runs, "server by score": one.runs["sampling"]}) for one in MEASURED]
    english = prompts_for(Path("org/model"))
    told = write(tmp_path, {}, results(english, Sampling(1.0, 32), by_score))[1].read_text()
    assert "# Speed on real text\n" in told
    assert "| letters | 16 | 2 | 5.00 (2.00-8.00) | 0.300 | 1500 | 25% |" in told
    assert "by score" not in write(tmp_path, {}, results(english, Sampling(1.0, 32), MEASURED))[1].read_text()


def test_the_files_say_what_was_measured_and_on_what(tmp_path: Path) -> None:
    raw, page, plot = write(
        tmp_path, {"machine": "two cores"}, results(prompts_for(TINY_MODEL), Sampling(1.0, 32), MEASURED)
    )
    told, figures = page.read_text(), json.loads(raw.read_text())
    assert "\n* machine: two cores\n* sampling: temperature 1, at most 32 tokens\n" in told
    assert "| letters | 16 | 2 | 0.80 | 0.80 (0.50-1.00) | 2.00 (1.25-2.50) | 1.50 (1.00-2.00) |" in told
    assert "| 3.00 (1.00-3.00) | 0.300 | 0.400 | 1.0 |" in told
    assert "agree in 75%" in told
    assert "letters, N=16: 15.0 matches, 1500 tokens, 25% cached" in told
    assert figures["about"]["rounds"] == "3"
    assert figures["figures"][1]["server_over"]["bound"] == {"median": 0.8, "low": 0.5, "high": 1.0}
    assert plot.stat().st_size > 1000
