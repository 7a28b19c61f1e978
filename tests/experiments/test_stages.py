"""The scheduler, on stages that only write files."""

import json
import time
from functools import partial
from pathlib import Path

import pytest

from experiments.stages import TIMES, Stage, run_stages


def note_times(seconds: float, folder: Path) -> None:
    began = time.monotonic()
    time.sleep(seconds)
    (folder / "text").write_text(f"{began} {time.monotonic()}", encoding="utf-8")


def go_on(folder: Path) -> None:
    """Fail the first time, and the second time find what the first has left."""
    if not (folder / "half").exists():
        (folder / "half").touch()
        raise RuntimeError("half-way")


def times(root: Path, name: str) -> tuple[float, float]:
    began, ended = (root / name / "text").read_text(encoding="utf-8").split()
    return float(began), float(ended)


def test_stages_run_side_by_side_but_after_their_needs_and_only_once(tmp_path: Path) -> None:
    stages = [
        Stage("first", (), partial(note_times, 0.1)),
        Stage("left", ("first",), partial(note_times, 0.6)),
        Stage("right", ("first",), partial(note_times, 0.6)),
        Stage("last", ("left", "right"), partial(note_times, 0.0)),
    ]
    run_stages(stages, tmp_path, 2)
    first, left, right, last = (times(tmp_path, stage.name) for stage in stages)
    assert first[1] < min(left[0], right[0])
    assert max(left[0], right[0]) < min(left[1], right[1])
    assert max(left[1], right[1]) < last[0]
    assert json.loads((tmp_path / "left" / TIMES).read_text(encoding="utf-8"))["seconds"] >= 0.6
    run_stages(stages, tmp_path, 2)
    assert times(tmp_path, "last") == last


def test_a_stage_goes_on_from_what_it_left(tmp_path: Path) -> None:
    stages = [Stage("it", (), partial(go_on))]
    with pytest.raises(RuntimeError, match="half-way"):
        run_stages(stages, tmp_path, 1)
    assert not (tmp_path / "it").exists()
    run_stages(stages, tmp_path, 1)
    assert (tmp_path / "it" / "half").exists()
    assert not (tmp_path / "it.partial").exists()
