"""The rows that a run trains on, kept in its folder as Arrow files that processes map into memory and share.

A set of UltraFeedback's size has 10^8 tokens and more: as Python's integers they take tens of gigabytes in each
process, here some four bytes a token, on the disk. Rows are made once, each process making its share, and a run that
goes on finds them as it left them, whatever has become of the sources. Leaves out what a row is.
"""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from datasets import Dataset, Features, concatenate_datasets  # type: ignore[import-untyped]  # it ships no py.typed
from datasets.arrow_writer import ArrowWriter  # type: ignore[import-untyped]  # likewise

from selfjudge_training.run.files import beside
from selfjudge_training.run.processes import processes, shared_folder

_BUFFERED = 256
"""Rows that are in memory at a time."""

Record = TypeVar("Record")


def find_rows(folder: Path, *, begun: bool) -> Dataset | None:
    """The rows that lie in a folder, where they are those of a run that has ``begun``; to be called by all processes.

    What a run left there that never began is deleted: its sources may have been mended since.
    """
    state = processes()
    if state.is_main_process and not begun:
        shutil.rmtree(folder, ignore_errors=True)
    state.wait_for_everyone()
    return open_rows(folder) if folder.is_dir() else None


def make_rows(folder: Path, features: Features, kinds: Mapping[str, Iterable[Mapping[str, object]]]) -> Dataset:
    """Write rows, of each kind this process' share; to be called by all processes, which all get all rows.

    Kinds come in the order of their names, and shares in that of processes. The folder gets its name when all is there.
    """
    with shared_folder(folder) as unfinished:
        for kind, rows in kinds.items():
            write_rows(rows, features, unfinished / f"{kind}-{processes().process_index:05d}.arrow")
    return open_rows(folder)


def own_share(records: list[Record]) -> list[Record]:
    """What this process makes rows of, in one piece."""
    state = processes()
    start, stop = (len(records) * (state.process_index + side) // state.num_processes for side in (0, 1))
    return records[start:stop]


def open_rows(folder: Path) -> Dataset:
    """All rows of the files in a folder, in the order of their names."""
    return concatenate_datasets([Dataset.from_file(str(path)) for path in sorted(folder.glob("*.arrow"))])


def write_rows(rows: Iterable[Mapping[str, object]], features: Features, file: Path) -> None:
    """Write a file, which appears whole or not at all."""
    with ArrowWriter(path=str(beside(file)), features=features, writer_batch_size=_BUFFERED) as writer:
        for row in rows:
            writer.write(dict(row))
        writer.finalize()
    beside(file).rename(file)
