"""What a policy serves, as a small file in the store: read at start, followed by every replica, replaced in one rename.

Concurrent writers of one policy's record overwrite each other; the last one holds on all replicas.
"""

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

# No policy's name begins with a dot.
FOLDER: Final = ".serving"

_DRAWN: Final = 2**64

Weight = Annotated[float, Field(ge=0, le=1)]


class RecordError(ValueError):
    """A record can't be read or written; says which and why."""


class Record(BaseModel):
    """What one policy serves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    active: str | None = None
    """The version that the policy's name stands for."""
    previous: str | None = None
    """The one before, for rollback."""
    canaries: dict[str, Weight] = {}
    """Versions that get a share of the policy's requests; a share of 0 keeps one callable by its own name only."""
    considered: str | None = None
    """The newest version that watching the store has activated or refused."""

    @property
    def wanted(self) -> list[str]:
        """Versions that must be loaded, the active one first."""
        return list(dict.fromkeys(one for one in (self.active, *self.canaries, self.previous) if one))

    def activated(self, version: str) -> "Record":
        """The same with another active version, which is no canary any more."""
        if version == self.active:
            return self
        return self.but(
            active=version,
            previous=self.active,
            canaries={name: weight for name, weight in self.canaries.items() if name != version},
        )

    def but(self, **changes: object) -> "Record":
        """The same with other values, validated."""
        return Record.model_validate({**self.model_dump(), **changes})


class Records:
    """The records of all policies of a store.

    Args:
        root: the store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def read(self, policy: str) -> Record:
        """A policy's record; an empty one if nothing was ever activated.

        Raises:
            RecordError: if the file isn't a record.
        """
        path = self._folder / f"{policy}.json"
        try:
            return Record.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return Record()
        except (OSError, ValidationError) as error:
            raise RecordError(f"{path} is not a record of what {policy!r} serves: {error}") from error

    def write(self, policy: str, record: Record) -> None:
        """Replaces a policy's record; a replica that reads meanwhile sees the old one or the new one.

        Raises:
            RecordError: if the store can't be written.
        """
        try:
            self._folder.mkdir(exist_ok=True)
            with NamedTemporaryFile("w", dir=self._folder, prefix=".", delete=False) as file:
                temporary = Path(file.name)
                file.write(record.model_dump_json(indent=1))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._folder / f"{policy}.json")
        except OSError as error:
            raise RecordError(f"what {policy!r} serves can't be written to {self._folder}: {error}") from error


def draw(policy: str, record: Record, sticky: str | None, is_loaded: Callable[[str], bool]) -> str:
    """A version of the policy; an empty name where none is active.

    Canaries get their shares of the range from 0 up, so as a weight grows, none that had the canary loses it. A
    request's place in the range is that of its sticky text, or else drawn anew.
    """
    point = secrets.randbelow(_DRAWN) if sticky is None else _point(policy, sticky)
    reached = 0.0
    for version, weight in sorted(record.canaries.items()):
        reached += weight
        if point < reached * _DRAWN and is_loaded(version):
            return version
    return record.active or ""


def _point(policy: str, sticky: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{policy}\n{sticky}".encode()).digest()[:8])
