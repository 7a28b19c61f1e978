"""Which versions answer where: each replica on a store writes a note of what it serves, and reads the others' notes.

A note is rewritten when it changes, and every few seconds: the replica of an older note is gone. Replicas agree on what
is to be served by the records alone.
"""

import logging
import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

FOLDER: Final = ".replicas"
_REPEAT, _GONE, _FORGOTTEN = timedelta(seconds=10), timedelta(seconds=30), timedelta(days=1)
_LOG = logging.getLogger(__name__)


class Answering(BaseModel):
    """What a replica does with a policy."""

    model_config = ConfigDict(frozen=True)

    active: str | None
    """The version that answers for the policy's name; None where none does."""
    canaries: dict[str, float]
    loaded: list[str]
    """All versions that requests can name there, or still hold."""


class Note(BaseModel):
    """What one replica serves."""

    model_config = ConfigDict(frozen=True)

    replica: str
    seen: AwareDatetime
    policies: dict[str, Answering]


class Replicas:
    """Notes of the replicas on one store.

    Args:
        root: the store's folder.
        name: of this replica, unlike all others'.
    """

    def __init__(self, root: Path, name: str | None = None) -> None:
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        self._folder = root / FOLDER
        self._left: Note | None = None
        self._told_failure = False

    def leave(self, policies: Mapping[str, Answering]) -> bool:
        """Writes this replica's note, unless the same was written a moment ago; returns whether it could."""
        now, left = datetime.now(UTC), self._left
        if left and left.policies == policies and now - left.seen < _REPEAT:
            return True
        note = Note(replica=self.name, seen=now, policies=dict(policies))
        path = self._folder / f"{self.name}.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".new")
            temporary.write_text(note.model_dump_json(), encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            if not self._told_failure:
                _LOG.warning("other replicas can't be told what this one serves: %s", error)
            self._told_failure = True
            return False
        self._left, self._told_failure = note, False
        return True

    def notes(self) -> list[Note]:
        """The notes of replicas that still write theirs, by name. Deletes notes that are days old."""
        now, found = datetime.now(UTC), []
        for path in sorted(self._folder.glob("*.json")):
            try:
                note = Note.model_validate_json(path.read_bytes())
                if now - note.seen < _GONE:
                    found.append(note)
                elif now - note.seen > _FORGOTTEN:
                    path.unlink(missing_ok=True)
            except (OSError, ValidationError):
                continue  # being replaced, or none of ours
        return found
