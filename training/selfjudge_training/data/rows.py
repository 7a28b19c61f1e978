"""Rows of files and data sets, one by one, each with its number and, where it cannot be read, the reason.

Files are read as they stream by; of a JSON array only the text is held as a whole.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from selfjudge_training.data.source import DataError, Source
from selfjudge_training.run.files import beside

LINES = (".jsonl", ".jsonl.gz")
SUFFIXES = (*LINES, ".json", ".json.gz", ".parquet")

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
    rows = _hub_rows(source) if source.path is None else read_file(source.path)
    return islice(rows, source.limit)


def read_file(path: Path) -> Iterator[Row]:
    """Every row of a file, by the end of its name. Raises DataError where the file as a whole cannot be read."""
    suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), None)
    if suffix is None:
        raise DataError(f"{path}: unknown kind of file; accepted are names that end in {', '.join(SUFFIXES)}")
    return _read(path, _parquet_rows if suffix == ".parquet" else _jsonl_rows if suffix in LINES else _array_rows)


def read_lines(path: Path) -> Iterator[Row]:
    """Every row of a file of JSON lines, whatever its name. Raises DataError as `read_file` does."""
    return _read(path, _jsonl_rows)


def _read(path: Path, rows: Callable[[Path], Iterator[Row]]) -> Iterator[Row]:
    try:
        yield from rows(path)
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
    partial = beside(path)
    # Without a time in it, equal rows make equal files.
    with (
        partial.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if path.suffix == ".gz" else raw as file,
    ):
        file.writelines(json.dumps(row).encode() + b"\n" for row in rows)
    partial.replace(path)


class _Objects:
    """Makes objects of JSON, and knows of a key that stands in one of them twice: Python silently keeps the last."""

    def __init__(self) -> None:
        self.decoder, self._twice = json.JSONDecoder(object_pairs_hook=self._made), ""

    def row(self, line: int, value: object) -> Row:
        """A value that the decoder gave since the last call, or why it can't be used."""
        twice, self._twice = self._twice, ""
        return Row(line, None, f"the key {twice!r} stands there twice") if twice else Row(line, value)

    def _made(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            self._twice = next(name for name in names if names.count(name) > 1)
        return made


def _problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8: {error.reason} at byte {error.start}"
    # Numbers of thousands of digits, and brackets that nest as deep.
    return f"JSON that Python can't hold: {error}"


def _open(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _jsonl_rows(path: Path) -> Iterator[Row]:
    objects = _Objects()
    with _open(path) as file:
        for line, content in enumerate(file, 1):
            try:
                text = content.decode("utf-8-sig").strip()  # a file may begin with a byte-order mark
                if text:
                    yield objects.row(line, objects.decoder.decode(text))
            except (ValueError, RecursionError) as error:
                yield Row(line, None, _problem(error), torn=not content.endswith(b"\n"))


def _array_rows(path: Path) -> Iterator[Row]:
    """Elements of a JSON array, with the lines on which they begin."""
    with _open(path) as file:
        try:
            text = file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: {_problem(error)}") from error
    at = _blank(text, 0)
    if text[at : at + 1] != "[":
        raise DataError(f"{path}: holds no JSON array; a file of one object a line is called .jsonl")
    at = _blank(text, at + 1)
    line, objects = 1 + text.count("\n", 0, at), _Objects()
    while text[at : at + 1] != "]":
        try:
            value, end = objects.decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            broken = error.lineno if isinstance(error, json.JSONDecodeError) else line
            raise DataError(f"{path}:{broken}: {_problem(error)}; nothing behind it can be read") from error
        yield objects.row(line, value)
        end = _blank(text, end)
        if text[end : end + 1] not in (",", "]"):
            raise DataError(f"{path}:{line + text.count(chr(10), at, end)}: an element must be followed by ',' or ']'")
        if text[end] == ",":
            end = _blank(text, end + 1)
        line, at = line + text.count("\n", at, end), end
    if _blank(text, at + 1) < len(text):
        raise DataError(f"{path}:{line}: something follows the array; a file of one object a line is called .jsonl")


def _blank(text: str, at: int) -> int:
    """The first position from `at` on that is not white space."""
    while text[at : at + 1].isspace():
        at += 1
    return at


def _parquet_rows(path: Path) -> Iterator[Row]:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    return _data_set(str(path), path="parquet", data_files=str(path), split="train", streaming=True)


def _hub_rows(source: Source) -> Iterator[Row]:
    return _data_set(source.name, path=source.hub, data_dir=source.folder, split=source.hub_split)


def _data_set(name: str, **how: object) -> Iterator[Row]:
    # It is slow to import and text files do without; and it carries no types.
    from datasets import load_dataset  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        rows = load_dataset(**how)
    except Exception as error:  # the hub's client and the loaders raise almost anything
        raise DataError(f"{name}: the data set cannot be loaded: {error}") from error
    return (Row(number, value) for number, value in enumerate(rows, 1))
