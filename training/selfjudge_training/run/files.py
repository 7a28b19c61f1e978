"""Files and folders that are whole or not there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfjudge.durable import force_to_disk


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and move it there, so that being killed leaves what was there before."""
    partial = beside(path)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside ``path``, which must not exist; moved there in the end, once it is on disk."""
    partial = beside(path)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
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
