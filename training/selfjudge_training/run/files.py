"""Files and folders that are whole or not there."""

import shutil
from collections.abc import Callable
from pathlib import Path

from selfjudge.durable import force_to_disk


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and move it there, so that being killed leaves what was there before."""
    partial = beside(path)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_folder(path: Path, write: Callable[[Path], None]) -> None:
    """Have ``write`` fill a folder beside ``path``, and move it there once it is on disk; ``path`` must not exist."""
    partial = beside(path)
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    write(partial)
    put_in_place(partial, path)


def put_in_place(partial: Path, whole: Path) -> None:
    """Force a folder to disk, and only then give it its name."""
    for path in (*partial.rglob("*"), partial):
        force_to_disk(path)
    partial.rename(whole)
    force_to_disk(whole.parent)


def beside(path: Path) -> Path:
    """Where a file or a folder is written before it is whole."""
    return path.with_name(f"{path.name}.partial")
