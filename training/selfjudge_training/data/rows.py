"""Rows of files and data sets, one by one, each with its number and, where it cannot be read, the reason.

Files are read as they stream by, but for JSON arrays.
"""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from selfjudge_training.data.source import DataError, MalformedRowError, Source
from selfjudge_training.run.files import beside

LINES = (".jsonl", ".jsonl.gz")
SUFFIXES = (*LINES, ".json", ".json.gz", ".parquet")

_ARRAYS = "accepted is one array; a file of one object a line is called .jsonl"

Made = TypeVar("Made")


class Row(NamedTuple):
    """One row; either `value` or `problem` says something."""

    line: int
    """Line of a text file at which it begins, otherwise number of the row; counted from 1."""
    value: object
    problem: str = ""
    torn: bool = False
    """Whether the problem is in a line without an end, as one that was being written when a server was killed."""


def read_rows(source: Source) -> Iterator[Row]:
    """Every row of a source, up to its limit. Raises DataError where the source as a whole cannot be read."""
    if source.path is None:
        rows = _data_set(source.name, path=source.hub, data_dir=source.folder, split=source.split or "train")
    else:
        rows = read_file(source.path)
    return islice(rows, source.limit)


def read_file(path: Path, *, lines: bool = False) -> Iterator[Row]:
    """Every row of a file, by the end of its name; with ``lines`` it holds JSON lines, whatever its name.

    Raises DataError where the file as a whole cannot be read.
    """
    if not lines and not path.name.endswith(SUFFIXES):
        raise DataError(f"{path}: unknown kind of file; accepted are names that end in {', '.join(SUFFIXES)}")
    try:
        if path.suffix == ".parquet" and not lines:
            yield from _data_set(str(path), path="parquet", data_files=str(path), split="train", streaming=True)
            return
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from _lines(file) if lines or path.name.endswith(LINES) else _elements(path, file.read())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def validated_rows(path: Path, kind: TypeAdapter[Made], accepted: str) -> list[tuple[str, Made]]:
    """The rows of a file, at least one, with their places. Raises DataError naming the place and what is accepted."""
    rows = []
    for row in read_file(path):
        place = f"{path}:{row.line}"
        if row.problem:
            raise DataError(f"{place}: {row.problem}")
        try:
            rows.append((place, kind.validate_python(row.value)))
        except ValidationError as error:
            raise DataError(f"{place}: should have {accepted}") from error
    if not rows:
        raise DataError(f"{path}: holds no row")
    return rows


def write_lines(rows: Iterable[dict[str, Any]], path: Path) -> None:
    """Writes a .jsonl or .jsonl.gz file, the whole of it or none. Raises DataError for another name."""
    if not path.name.endswith(LINES):
        raise DataError(f"{path}: must end in {' or '.join(LINES)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    # Without a time in it, equal rows make equal files.
    beside(path).write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    beside(path).replace(path)


def _lines(file: Iterable[bytes]) -> Iterator[Row]:
    for line, content in enumerate(file, 1):
        try:
            text = content.decode("utf-8-sig").strip()  # a file may begin with a byte-order mark
            if text:
                yield Row(line, _UNIQUE.decode(text))
        except (ValueError, RecursionError) as error:
            yield Row(line, None, _problem(error), torn=not content.endswith(b"\n"))


def _elements(path: Path, content: bytes) -> Iterator[Row]:
    """Elements of a JSON array, with the lines on which they begin."""
    try:
        text = content.decode("utf-8-sig")
        array = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}:{getattr(error, 'lineno', 1)}: {_problem(error)}; {_ARRAYS}") from error
    if not isinstance(array, list):
        raise DataError(f"{path}: not an array; {_ARRAYS}")
    line, at, end = 1, 0, text.index("[") + 1
    for _ in array:
        start = end
        while text[start] in " \t\r\n,":
            start += 1
        line, at = line + text.count("\n", at, start), start
        try:
            value, end = _UNIQUE.raw_decode(text, start)
            yield Row(line, value)
        except MalformedRowError as error:
            _, end = json.JSONDecoder().raw_decode(text, start)
            yield Row(line, None, str(error))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Raises MalformedRowError for a key that stands there twice, of which Python silently keeps the last."""
    made = dict(pairs)
    if len(made) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise MalformedRowError(f"the key {twice!r} stands there twice")
    return made


_UNIQUE = json.JSONDecoder(object_pairs_hook=_object)


def _problem(error: Exception) -> str:
    if isinstance(error, MalformedRowError):
        return str(error)
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8: {error.reason} at byte {error.start}"
    # Numbers of thousands of digits, and brackets that nest as deep.
    return f"JSON that Python can't hold: {error}"


def _data_set(name: str, **how: object) -> Iterator[Row]:
    # It is slow to import and text files do without; and it carries no types.
    from datasets import load_dataset  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        rows = load_dataset(**how)
    except Exception as error:  # the hub's client and the loaders raise almost anything
        raise DataError(f"{name}: the data set cannot be loaded: {error}") from error
    return (Row(number, value) for number, value in enumerate(rows, 1))
