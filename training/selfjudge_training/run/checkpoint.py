"""Checkpoints that are whole or not there: written beside their place, forced to disk, moved there by one rename.

A process killed at any moment leaves the checkpoints before it untouched and at most a partial folder, which nothing
ever reads and the next checkpoint removes. Leaves out what a checkpoint holds: that is the stage's to write and read.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from selfjudge_training.run.files import put_in_place

KEPT = 2
"""Newest checkpoints that stay."""

_WHOLE, _PARTIAL = "step-", "partial-"


class Checkpoint(NamedTuple):
    """One that is whole."""

    step: int
    """Optimizer steps taken before it was written."""
    path: Path


def save_checkpoint(folder: Path, step: int, write: Callable[[Path], None]) -> Checkpoint:
    """Have ``write`` fill an empty folder, and make that the newest checkpoint of the run in ``folder``.

    For one process. Where several write one checkpoint, they do so between `begin_checkpoint` and `commit_checkpoint`.
    """
    write(begin_checkpoint(folder, step))
    return commit_checkpoint(folder, step)


def begin_checkpoint(folder: Path, step: int) -> Path:
    """An empty folder for the checkpoint of ``step``; what an interrupted one left behind is removed."""
    owner = _owner(folder)
    for leftover in owner.glob(f"{_PARTIAL}*"):
        shutil.rmtree(leftover)
    partial = partial_checkpoint(folder, step)
    partial.mkdir(parents=True)
    return partial


def partial_checkpoint(folder: Path, step: int) -> Path:
    """Where the checkpoint of ``step`` is written before it is whole; for the processes that did not begin it."""
    return _owner(folder) / f"{_PARTIAL}{step:08d}"


def commit_checkpoint(folder: Path, step: int) -> Checkpoint:
    """Put the folder that `begin_checkpoint` gave in its place, then remove all but the newest checkpoints."""
    partial, whole = partial_checkpoint(folder, step), _owner(folder) / f"{_WHOLE}{step:08d}"
    if whole.exists():
        _remove(whole)
    put_in_place(partial, whole)
    for old in _whole(folder)[:-KEPT]:
        _remove(old.path)
    return Checkpoint(step, whole)


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint of the run in ``folder``; None where there is none."""
    return next(reversed(_whole(folder)), None)


def _owner(folder: Path) -> Path:
    return folder / "checkpoints"


def _whole(folder: Path) -> list[Checkpoint]:
    """Oldest first."""
    paths = _owner(folder).glob(f"{_WHOLE}*")
    return sorted(Checkpoint(int(path.name.removeprefix(_WHOLE)), path) for path in paths)


def _remove(checkpoint: Path) -> None:
    """Delete a whole checkpoint so that being killed meanwhile leaves a partial one."""
    doomed = checkpoint.with_name(f"{_PARTIAL}removed-{checkpoint.name}")
    checkpoint.rename(doomed)
    shutil.rmtree(doomed)
