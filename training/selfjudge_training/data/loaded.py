"""What a loader hands over: records, and an account of every row that gave none."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from selfjudge_training.data.formats.texts import shown
from selfjudge_training.data.rows import Row
from selfjudge_training.data.source import DataError, MalformedRowError

Record = TypeVar("Record")
Schema = TypeVar("Schema", bound=BaseModel)

SHOWN = 20
"""Malformed rows that an account lists one by one; the rest are counted."""


def checked(schema: type[Schema], row: Row) -> Schema:
    """A row as what its format says it is. Raises MalformedRowError, naming the first key that is wrong."""
    if row.problem:
        raise MalformedRowError(row.problem)
    if not isinstance(row.value, dict):
        raise MalformedRowError(f"row: should be an object with keys, not {shown(row.value)}")
    for name in schema.model_fields:
        try:
            json.dumps(row.value.get(name), ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError as error:
            raise MalformedRowError(f"{name}: holds half of a character (a lone surrogate, such as \\ud83d)") from error
    try:
        return schema.model_validate(row.value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place, problem = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise MalformedRowError(f"{place}: {problem}" if place else problem) from error


class LeftOutError(Exception):
    """What is sound, but is not taken; the message is the reason."""


class Malformed(NamedTuple):
    """A row that could not be used."""

    source: str
    line: int
    reason: str


@dataclass
class Loaded(Generic[Record]):
    """Records in the order of the rows they come from."""

    records: list[Record] = field(default_factory=list)
    rows: int = 0
    """Rows read, malformed ones included."""
    malformed: list[Malformed] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """What a sound row did not give, by reason: no inferior response under a principle, and the like."""

    @contextmanager
    def row(self, source: str, line: int, *, strict: bool) -> Iterator[None]:
        """Counts a row. A MalformedRowError within is kept; with `strict` it becomes a DataError."""
        self.rows += 1
        try:
            yield
        except MalformedRowError as error:
            if strict:
                raise DataError(f"{source}:{line}: {error}") from error
            self.malformed.append(Malformed(source, line, str(error)))

    @contextmanager
    def part(self) -> Iterator[None]:
        """Counts what is left out of a row where a LeftOutError comes from within."""
        try:
            yield
        except LeftOutError as reason:
            self.left_out[str(reason)] += 1

    def account(self, of: str) -> list[str]:
        """Lines for people: how many rows, records, malformed rows (listed up to `SHOWN`), and what was left out."""
        lines = [f"{len(self.records):,} {of} from {self.rows:,} rows, {len(self.malformed):,} of them malformed"]
        lines += [f"  {row.source}:{row.line}: {row.reason}" for row in self.malformed[:SHOWN]]
        if len(self.malformed) > SHOWN:
            lines.append(f"  and {len(self.malformed) - SHOWN:,} more")
        return lines + [
            f"  left out {count:,} times: {reason}" for reason, count in self.left_out.most_common() if count
        ]
