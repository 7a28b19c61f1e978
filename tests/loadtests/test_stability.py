"""What is said of two runs of the same comparisons."""

import json
from pathlib import Path

import pytest

from loadtests.results import plain
from loadtests.stability import Judgment, difference, write


def test_flips_and_differences_are_told_apart() -> None:
    first = [Judgment("A", 0.9), Judgment("A", 0.51), Judgment("B", 0.2), Judgment("tie", 0.5)]
    second = [Judgment("A", 0.8), Judgment("B", 0.49), Judgment("B", 0.2), Judgment("tie", 0.5)]
    found = difference("64 clients", first, second)
    assert (found.run, found.comparisons, found.flips) == ("64 clients", 4, 1)
    assert (found.largest, found.mean, found.flipped_margin) == pytest.approx((0.1, 0.03, 0.01))


def test_the_same_run_twice_has_no_differences() -> None:
    run = [Judgment("A", 0.9), Judgment("B", 0.1)]
    assert difference("again", run, run)[2:] == (0, 0.0, 0.0, 0.0)


def test_both_files_say_the_same(tmp_path: Path) -> None:
    found = [difference("64 clients", [Judgment("A", 0.51)], [Judgment("B", 0.49)])]
    told, shown = write(tmp_path / "results", {"machine": "two cores"}, 64, found)
    assert json.loads(told.read_text()) == {"about": {"machine": "two cores"}, "runs": [plain(found[0])]}
    assert "| 64 clients | 1 | 1 | 2.0e-02 | 2.0e-02 | 1.0e-02 |" in shown.read_text()
    assert "* machine: two cores\n" in shown.read_text()
