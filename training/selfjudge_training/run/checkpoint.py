"""Checkpoints that are whole or not there: a process killed at any moment leaves the newest one as it was.

Leaves out what a checkpoint holds: that is the stage's to write and read.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from selfjudge_training.run.processes import processes, shared_folder

KEPT = 2
"""Newest checkpoints that stay."""


class Checkpoint(NamedTuple):
    """One that is whole."""

    step: int
    """Optimizer steps taken before it was written."""
    path: Path


@contextmanager
def new_checkpoint(folder: Path, step: int) -> Iterator[Path]:
    """An empty folder for all processes to fill; it becomes the newest checkpoint of the run in ``folder``."""
    with shared_folder(folder / "checkpoints" / f"step-{step:08d}") as partial:
        yield partial
    if processes().is_main_process:
        for old in _whole(folder)[:-KEPT]:
            shutil.rmtree(old.path)  # what may be left of it if killed here is never the newest


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint of the run in ``folder``; None where there is none."""
    return next(reversed(_whole(folder)), None)


def _whole(folder: Path) -> list[Checkpoint]:
    """Oldest first."""
    paths = (folder / "checkpoints").glob(f"step-{'[0-9]' * 8}")
    return sorted(Checkpoint(int(path.name.removeprefix("step-")), path) for path in paths)
