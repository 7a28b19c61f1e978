"""Raw rows of a measurement as JSON lines: a killed run goes on behind the last row, and reports read what is there.

The first line says what the rows were made of and how.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.files import write_whole
from tqdm import tqdm


class KeptRow(BaseModel):
    """What was found out about one prompt."""

    key: str
    """What it is found again by."""


Row = TypeVar("Row", bound=KeptRow)


def read_kept(path: Path, kind: type[Row]) -> dict[str, Row]:
    """The rows of a file by their keys; none where there is no file. A line that was cut off is left out."""
    lines = path.read_text(encoding="utf-8").splitlines()[1:] if path.is_file() else []
    rows = [_row(line, kind, last=number == len(lines)) for number, line in enumerate(lines, 1)]
    return {row.key: row for row in rows if row is not None}


def keep(
    path: Path,
    kind: type[Row],
    how: Mapping[str, object],
    keys: Sequence[str],
    at_once: int,
    make: Callable[[list[str]], Sequence[Row]],
) -> dict[str, Row]:
    """The rows of these keys, in their order; those that are not there yet are made, so many at once, and kept.

    ``how`` is JSON. Raises ConfigError where the file's rows were made otherwise.
    """
    found = _go_on(path, kind, how)
    lacking = [key for key in keys if key not in found]
    for start in tqdm(range(0, len(lacking), at_once), f"{path.parent.name}/{path.stem}", unit="part", disable=None):
        rows = make(lacking[start : start + at_once])
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{row.model_dump_json()}\n" for row in rows))
        found |= {row.key: row for row in rows}
    if lacking:
        print(f"{path}: {len(keys)} rows", file=sys.stderr, flush=True)
    return {key: found[key] for key in keys}


def _go_on(path: Path, kind: type[Row], how: Mapping[str, object]) -> dict[str, Row]:
    header = json.dumps(how, sort_keys=True)
    if path.is_file():
        before = path.read_text(encoding="utf-8").split("\n", 1)[0]
        if before != header:
            raise ConfigError(f"{path} was measured by {before}, not by {header}; delete it, or name another folder")
    rows = read_kept(path, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, "".join(f"{line}\n" for line in (header, *(row.model_dump_json() for row in rows.values()))))
    return rows


def _row(line: str, kind: type[Row], *, last: bool) -> Row | None:
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        if last:  # it was being written when the run was killed
            return None
        raise
