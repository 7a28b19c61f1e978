"""Figures, table and plot from runs that were not measured."""

from pathlib import Path

import pytest

from loadtests.outcome import Measured, Outcome, Run
from loadtests.plot import draw
from loadtests.report import Figures, summarise
from loadtests.table import markdown
from loadtests.workload import Cell, Sampling

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


@pytest.fixture
def figures() -> list[Figures]:
    cells = [Cell(1, 2, 4), Cell(16, 2, 4)]
    return summarise(
        [
            Measured(
                cell,
                turn,
                {
                    name: Run(seconds[turn], [outcome(name, index, cell.best_of_n) for index in range(4)])
                    for name, seconds in SECONDS.items()
                },
            )
            for turn in range(3)
            for cell in cells
        ]
    )


def test_ratios_are_taken_within_a_round_and_then_the_median_of_them(figures: list[Figures]) -> None:
    assert figures[1].server_over_bound == pytest.approx((0.8, 0.5, 1.0))
    assert figures[1].server_over_client == pytest.approx((2.0, 1.25, 2.5))
    assert figures[1].server_over_thrifty == pytest.approx((1.5, 1.0, 2.0))
    assert figures[1].throughput["server"] == pytest.approx((0.8, 0.5, 1.0))
    assert figures[1].judging_over_sampling == pytest.approx((3.0, 1.0, 3.0))


def test_judge_tokens_are_counted_for_each_tournament(figures: list[Figures]) -> None:
    assert figures[1].judging == pytest.approx((15, 1500, 0.25))
    assert figures[0].judging == pytest.approx((0, 0, 0))


def test_tournaments_that_do_not_agree_on_a_winner_are_told(figures: list[Figures]) -> None:
    assert figures[1].same_winner == pytest.approx(0.75)


def test_latency_quantiles_are_over_all_rounds(figures: list[Figures]) -> None:
    assert figures[1].latency["server"] == pytest.approx((0.3, 0.4))


def test_the_page_has_a_row_for_each_cell_and_says_on_what_it_was_measured(figures: list[Figures]) -> None:
    page = markdown({"machine": "two cores"}, Sampling(1.0, 32), 3, figures)
    assert "* machine: two cores" in page
    assert "| 16 | 2 | 0.80 | 0.80 (0.50-1.00) | 2.00 (1.25-2.50) | 1.50 (1.00-2.00) |" in page
    assert "| 3.00 (1.00-3.00) | 0.300 | 0.400 |" in page
    assert "agree in 75%" in page
    assert "N=16: 15.0 matches, 1500 tokens, 25% cached" in page


def test_the_plot_can_be_drawn(figures: list[Figures], tmp_path: Path) -> None:
    draw(figures).savefig(tmp_path / "speed.png")
