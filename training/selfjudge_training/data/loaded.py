"""What a loader hands over: records, and an account of every row that gave none."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from selfjudge_training.data.source import DataError, MalformedRowError

Record = TypeVar("Record")

SHOWN = 20
"""Malformed rows that an account lists one by one; the rest are counted."""


class LeftOutError(Exception):
    """What is sound, but is not taken; the message is the reason."""


@dataclass
class Loaded(Generic[Record]):
    """Records in the order of the rows they come from."""

    records: list[Record] = field(default_factory=list)
    rows: int = 0
    """Rows read, malformed ones included."""
    malformed: list[str] = field(default_factory=list)
    """Of each row that could not be used, where it is, and why."""
    left_out: Counter[str] = field(default_factory=Counter)
    """What a sound row did not give, by reason: no inferior response under a principle, and the like."""

    @contextmanager
    def row(self, place: str, *, strict: bool) -> Iterator[None]:
        """Counts a row. A MalformedRowError within is kept; with `strict` it becomes a DataError."""
        self.rows += 1
        try:
            yield
        except MalformedRowError as error:
            if strict:
                raise DataError(f"{place}: {error}") from error
            self.malformed.append(f"{place}: {error}")

    @contextmanager
    def part(self) -> Iterator[None]:
        """Counts by its reason what a LeftOutError within leaves out."""
        try:
            yield
        except LeftOutError as reason:
            self.left_out[str(reason)] += 1

    def account(self, of: str) -> list[str]:
        """Lines for people: how many rows, records, malformed rows (listed up to `SHOWN`), and what was left out."""
        lines = [f"{len(self.records):,} {of} from {self.rows:,} rows, {len(self.malformed):,} of them malformed"]
        lines += [f"  {problem}" for problem in self.malformed[:SHOWN]]
        if len(self.malformed) > SHOWN:
            lines.append(f"  and {len(self.malformed) - SHOWN:,} more")
        return lines + [f"  left out {count:,} times: {why}" for why, count in self.left_out.most_common() if count]
