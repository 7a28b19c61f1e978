"""The scheduler, on stages that only write files."""

import os
import time
from functools import partial
from pathlib import Path

import pytest
from selfjudge_training.paper.stages import Stage, StageError, Times, busy_seconds, run_stages, times_of

PRELOAD = ["torch"]
"""Imported once for all stages of these tests."""


def write(text: str, folder: Path) -> None:
    (folder / "text").write_text(text, encoding="utf-8")


def note_times(seconds: float, folder: Path) -> None:
    began = time.monotonic()
    time.sleep(seconds)
    write(f"{began} {time.monotonic()} {os.getpid()}", folder)


def fail(folder: Path) -> None:
    print("about to fail", flush=True)
    raise RuntimeError("out of luck")


def go_on(folder: Path) -> None:
    """Fail the first time, and the second time find what the first has left."""
    if not (folder / "half").exists():
        (folder / "half").touch()
        raise RuntimeError("half-way")


def times(root: Path, name: str) -> tuple[float, float]:
    began, ended, _ = (root / name / "text").read_text(encoding="utf-8").split()
    return float(began), float(ended)


def test_stages_run_side_by_side_but_after_their_needs(tmp_path: Path) -> None:
    stages = [
        Stage("first", (), partial(note_times, 0.1), alone=True),
        Stage("left", ("first",), partial(note_times, 0.6)),
        Stage("right", ("first",), partial(note_times, 0.6)),
        Stage("last", ("left", "right"), partial(note_times, 0.0)),
    ]
    run_stages(stages, tmp_path, 2, PRELOAD)
    first, left, right, last = (times(tmp_path, stage.name) for stage in stages)
    assert first[1] < min(left[0], right[0])
    assert max(left[0], right[0]) < min(left[1], right[1])
    assert max(left[1], right[1]) < last[0]
    processes = {(tmp_path / stage.name / "text").read_text(encoding="utf-8").split()[2] for stage in stages}
    assert len(processes) == 4
    left_times = times_of(tmp_path, "left")
    assert left_times.seconds >= 0.6
    assert 0 < left_times.processor < left_times.seconds


def test_seconds_of_stages_side_by_side_count_once() -> None:
    times = [Times(100.0, 10.0, 1.0), Times(104.0, 3.0, 1.0), Times(108.0, 4.0, 1.0), Times(200.0, 5.0, 1.0)]
    assert busy_seconds(times) == 12.0 + 5.0


def test_a_stage_that_uses_all_cores_is_alone(tmp_path: Path) -> None:
    stages = [Stage("one", (), partial(note_times, 0.4)), Stage("all", (), partial(note_times, 0.1), alone=True)]
    run_stages(stages, tmp_path, 2, PRELOAD)
    assert times(tmp_path, "one")[1] < times(tmp_path, "all")[0]


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    run_stages([Stage("it", (), partial(write, "once"))], tmp_path, 1, PRELOAD)
    run_stages([Stage("it", (), partial(write, "twice"))], tmp_path, 1, PRELOAD)
    assert (tmp_path / "it" / "text").read_text(encoding="utf-8") == "once"


def test_a_failure_says_what_happened_and_stops_the_rest(tmp_path: Path) -> None:
    stages = [Stage("slow", (), partial(note_times, 60)), Stage("bad", (), fail), Stage("after", ("bad",), fail)]
    began = time.monotonic()
    with pytest.raises(StageError, match=r"(?s)stage bad ended with 1.*about to fail.*RuntimeError: out of luck"):
        run_stages(stages, tmp_path, 2, PRELOAD)
    assert time.monotonic() - began < 50
    assert not (tmp_path / "bad").exists()
    assert not (tmp_path / "slow").exists()


def test_a_stage_goes_on_from_what_it_left(tmp_path: Path) -> None:
    stages = [Stage("it", (), go_on)]
    with pytest.raises(StageError, match="half-way"):
        run_stages(stages, tmp_path, 1, PRELOAD)
    assert not (tmp_path / "it").exists()
    run_stages(stages, tmp_path, 1, PRELOAD)
    assert (tmp_path / "it" / "half").exists()
    assert not (tmp_path / "it.partial").exists()
