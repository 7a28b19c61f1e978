"""Files of JSON lines: a server's logs in, line by line with a progress bar, and rows out.

Leaves out what a line holds.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from selfjudge_training.data.source import DataError
from selfjudge_training.run.files import beside

SUFFIXES = (".jsonl", ".jsonl.gz")


class Line(NamedTuple):
    """One line, its end included; only a file's last line can be without."""

    file: Path
    number: int
    """Counted from 1."""
    text: bytes


def log_files(logs: Sequence[Path]) -> list[Path]:
    """The files among ``logs``, and those of its folders in the order of their names. Raises DataError for neither."""
    files = []
    for log in logs:
        if not log.exists():
            raise DataError(f"{log}: no such file or folder")
        found = sorted(path for path in log.iterdir() if path.name.endswith(SUFFIXES)) if log.is_dir() else [log]
        if not found:
            raise DataError(f"{log}: holds no file that ends in {' or '.join(SUFFIXES)}")
        files += found
    return files


def read_lines(files: Sequence[Path]) -> Iterator[Line]:
    """Every line. Raises DataError where a file cannot be read."""
    total = sum(path.stat().st_size for path in files)
    with tqdm(total=total, desc="reading", unit="B", unit_scale=True, disable=None, leave=False) as bar:
        for path in files:
            before = bar.n
            try:
                with path.open("rb") as raw, gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw as file:
                    for number, text in enumerate(file, 1):
                        yield Line(path, number, text)
                        bar.update(before + raw.tell() - bar.n)
            except (OSError, EOFError) as error:
                raise DataError(f"{path}: cannot be read: {error}") from error


def write_lines(rows: Iterable[dict[str, Any]], path: Path) -> None:
    """Writes a .jsonl or .jsonl.gz file, the whole of it or none. Raises DataError for another name."""
    if not path.name.endswith(SUFFIXES):
        raise DataError(f"{path}: must end in {' or '.join(SUFFIXES)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = beside(path)
    # Without a time in it, equal rows make equal files.
    with (
        partial.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if path.suffix == ".gz" else raw as file,
    ):
        file.writelines(json.dumps(row).encode() + b"\n" for row in rows)
    partial.replace(path)
