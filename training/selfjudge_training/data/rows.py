"""Rows of files and data sets, one by one, each with its line or number, and what is wrong with them.

Files are read as they stream by, but for JSON arrays.
"""

import gzip
import json
import zlib
from codecs import BOM_UTF8
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

_NO_ARRAY = "holds no JSON array (a file of one object a line is called .jsonl)"

Made = TypeVar("Made")


class Row(NamedTuple):
    """One row, not yet looked into."""

    line: int
    """Line of a text file at which it begins, otherwise number of the row; counted from 1."""
    content: object
    """JSON as bytes or text, or what a data set holds."""
    torn: bool = False
    """Whether it is a line without an end, as one that was being written when a server was killed."""


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


def validated(row: Row, kind: TypeAdapter[Made]) -> Made:
    """A row as what it should be. Raises MalformedRowError, naming the first key that is wrong."""
    try:
        if not isinstance(row.content, bytes | str):
            return kind.validate_python(row.content)
        made = kind.validate_json(row.content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place, problem = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise MalformedRowError(f"{place}: {problem}" if place else problem) from error
    json.loads(row.content, object_pairs_hook=_unique)
    return made


def _unique(pairs: list[tuple[str, object]]) -> None:
    """Raises MalformedRowError for a key that stands there twice, of which the last would silently be kept."""
    [(name, count)] = Counter(name for name, _ in pairs).most_common(1) or [("", 0)]
    if count > 1:
        raise MalformedRowError(f"the key {name!r} stands there twice")


def validated_rows(path: Path, kind: TypeAdapter[Made], accepted: str) -> list[tuple[str, Made]]:
    """The rows of a file, at least one, with their places. Raises DataError naming the place and what is accepted."""
    rows = []
    for row in read_file(path):
        place = f"{path}:{row.line}"
        try:
            rows.append((place, validated(row, kind)))
        except MalformedRowError as error:
            raise DataError(f"{place}: should have {accepted}: {error}") from error
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
        if text := content.removeprefix(BOM_UTF8).strip():
            yield Row(line, text, torn=not content.endswith(b"\n"))


def _elements(path: Path, content: bytes) -> Iterator[Row]:
    """Elements of a JSON array, with the lines on which they begin."""
    try:
        text = content.decode("utf-8-sig")
        array = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: {_NO_ARRAY}: {error}") from error
    if not isinstance(array, list):
        raise DataError(f"{path}: {_NO_ARRAY}")
    line, at, end, decoder = 1, 0, text.index("[") + 1, json.JSONDecoder()
    for _ in array:
        start = end
        while text[start] in " \t\r\n,":
            start += 1
        line, at = line + text.count("\n", at, start), start
        _, end = decoder.raw_decode(text, start)
        yield Row(line, text[start:end])


def _data_set(name: str, **how: object) -> Iterator[Row]:
    # It is slow to import and text files do without; and it carries no types.
    from datasets import load_dataset  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        rows = load_dataset(**how)
    except Exception as error:  # the hub's client and the loaders raise almost anything
        raise DataError(f"{name}: the data set cannot be loaded: {error}") from error
    return (Row(number, value) for number, value in enumerate(rows, 1))
