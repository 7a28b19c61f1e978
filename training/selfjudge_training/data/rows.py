"""Rows of a source, one by one, each with its number and, where it cannot be read, the reason instead of a value.

Leaves out what a row must hold. Files are read as they stream by; of a JSON array only the text is held as a whole.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from selfjudge_training.data.source import DataError, Source

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")

UNREADABLE = (ValueError, RecursionError)
"""What Python's reader of JSON raises for numbers of thousands of digits, and for brackets that nest as deep."""


class _Objects:
    """Makes objects of JSON, and knows of a key that stands in one of them twice: Python silently keeps the last."""

    def __init__(self) -> None:
        self.decoder, self._twice = json.JSONDecoder(object_pairs_hook=self._made), ""

    def row(self, line: int, value: object) -> "Row":
        """A value that the decoder gave since the last call, or why it can't be used."""
        twice, self._twice = self._twice, ""
        return Row(line, None, f"the key {twice!r} stands there twice") if twice else Row(line, value)

    def _made(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            self._twice = next(name for name in names if names.count(name) > 1)
        return made


class Row(NamedTuple):
    """One row of a source; either `value` or `problem` says something."""

    line: int
    """Line of a text file at which it begins, otherwise number of the row; counted from 1."""
    value: object
    problem: str = ""
    """Why there is no value."""


def read_rows(source: Source) -> Iterator[Row]:
    """Every row of a source, up to its limit. Raises DataError where the source as a whole cannot be read."""
    rows = _hub_rows(source) if source.path is None else _file_rows(source.path)
    try:
        yield from islice(rows, source.limit)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{source.name}: cannot be read: {error}") from error


def _file_rows(path: Path) -> Iterator[Row]:
    suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), None)
    if suffix is None:
        raise DataError(f"{path}: unknown kind of file; accepted are names that end in {', '.join(SUFFIXES)}")
    if suffix == ".parquet":
        return _parquet_rows(path)
    return _jsonl_rows(path) if suffix.startswith(".jsonl") else _array_rows(path)


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
            except json.JSONDecodeError as error:
                yield Row(line, None, f"not JSON: {error.msg} at column {error.colno}")
            except UnicodeDecodeError as error:
                yield Row(line, None, f"not UTF-8: {error.reason} at byte {error.start}")
            except UNREADABLE as error:
                yield Row(line, None, f"JSON that Python can't hold: {error}")


def _array_rows(path: Path) -> Iterator[Row]:
    """Elements of a JSON array, with the lines on which they begin."""
    with _open(path) as file:
        try:
            text = file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from error
    at = _blank(text, 0)
    if text[at : at + 1] != "[":
        raise DataError(f"{path}: holds no JSON array; a file of one object a line is called .jsonl")
    at = _blank(text, at + 1)
    line, objects = 1 + text.count("\n", 0, at), _Objects()
    while text[at : at + 1] != "]":
        try:
            value, end = objects.decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{error.lineno}: not JSON: {error.msg}; nothing behind it can be read") from error
        except UNREADABLE as error:
            raise DataError(f"{path}:{line}: JSON that Python can't hold: {error}") from error
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
