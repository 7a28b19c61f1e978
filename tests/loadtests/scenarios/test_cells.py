"""Files of scenarios."""

from pathlib import Path

import pytest

from loadtests.scenarios.cells import SHIPPED, Cell, Scenario, ScenariosError, load


def test_the_shipped_file_has_what_is_promised() -> None:
    file = load(SHIPPED)
    assert set(file.scenarios) == {"rates", "streaming", "swaps", "overload", "soak"}
    soak = file.scenarios["soak"]
    assert soak.seconds == 1200
    assert {cell.streaming for cell in file.scenarios["streaming"].cells()} == {True, False}
    assert {cell.swap_seconds for cell in file.scenarios["swaps"].cells()} == {None, 1.0}


def test_cells_are_all_combinations() -> None:
    rates = load(SHIPPED).scenarios["rates"]
    cells = rates.cells()
    assert len(set(cells)) == len(cells) == len(rates.rates) * len(rates.best_of_n) * len(rates.prompts)
    # Latency is compared with N=1 at the same rate.
    assert all(cell._replace(best_of_n=1) in cells for cell in cells)


def test_a_cell_says_what_it_is() -> None:
    cell = Cell(4, 2.5, 200, streaming=True, swap_seconds=1.0, seconds=10)
    assert cell.name == "N=4, 2.5/s, 200 letters, streamed, a swap every 1 s"
    assert cell.requests == 25


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("best_of_n: [1, 8]", "best_of_n: [0]", "scenarios.streaming.best_of_n.0"),
        ("rates: [4]", "rates: []", "scenarios.streaming.rates"),
        ("answer_seconds: 2.0", "answer_seconds: -1", "objectives.answer_seconds"),
        ("seconds: 1200", "secs: 1200", "scenarios.soak.secs: Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(old: str, new: str, told: str, tmp_path: Path) -> None:
    text = SHIPPED.read_text()
    assert old in text
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace(old, new))
    with pytest.raises(ScenariosError, match=told):
        load(wrong)


def test_scenarios_are_no_more_than_their_lists() -> None:
    scenario = Scenario(about="", best_of_n=[1], rates=[2], prompts=["tasks"], streaming=[False], seconds=3)
    assert scenario.cells() == [Cell(1, 2, "tasks", streaming=False, swap_seconds=None, seconds=3)]
