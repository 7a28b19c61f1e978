"""What an evaluation has sampled and judged so far: a line of a file for each batch, where a killed one goes on.

A batch is found again by what was asked and of whom. Leaves out what a batch is (`kept`).
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter

JOURNAL = "journal.jsonl"
"""Its name in the folder of an evaluation."""

Made = TypeVar("Made")


class _Entry(BaseModel):
    request: str
    made: str


class Journal:
    """One file; entries are added and never changed."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a last line that was not written whole is removed."""
        self._path = path
        lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
            with path.open("r+b") as file:
                file.truncate(sum(map(len, lines)))
        self._made = {entry.request: entry.made for entry in map(_Entry.model_validate_json, lines)}

    def kept(self, request: object, kind: TypeAdapter[Made], make: Callable[[], Made]) -> Made:
        """What was made for an equal request, which is JSON; if nothing was, have it made, and keep it."""
        name = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        if name not in self._made:
            made = kind.dump_json(make()).decode()
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_Entry(request=name, made=made).model_dump_json() + "\n")
            self._made[name] = made
        return kind.validate_json(self._made[name])

    def remove(self) -> None:
        """Delete the file, once what was made of it is written: a model may change before it is measured again."""
        self._path.unlink(missing_ok=True)
