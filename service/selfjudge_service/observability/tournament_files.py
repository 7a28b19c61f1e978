"""Lines in files of limited size in a folder of limited size. Nothing that was written is ever deleted or renamed.

A part is opened for one line and closed again, and a part that has been taken away is not continued: so parts may be
moved or deleted at any time, which makes room for new ones. Several processes may share a folder; each writes parts of
its own.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

PARTS = 16
"""Parts that a full folder has, if none was cut short by the end of a process."""

LOCK = ".lock"


class FolderFullError(Exception):
    """A line has no room."""


class Parts:
    """Appends lines, each whole or not at all: a write that fails half-way is taken back.

    Args:
        folder: made if it isn't there.
        max_bytes: most that the files in it may have together.

    Raises:
        OSError: if the folder can't be written to.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._max_bytes = max_bytes
        self._part = self._new_part()
        with self._locked():
            pass

    def append(self, line: bytes) -> None:
        """Writes a line, which ends in a line feed.

        Raises:
            FolderFullError: if it has no room.
            OSError: if it can't be written.
        """
        with self._locked():
            if self._held() + len(line) > self._max_bytes:
                raise FolderFullError
            size = self._part.stat().st_size if self._part.is_file() else None
            if size is None or size + len(line) > self._max_bytes // PARTS:
                self._part = self._new_part()
            _append(self._part, line)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keeps other processes from filling the same room."""
        with (self._folder / LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _held(self) -> int:
        """Bytes of all files in the folder."""
        return sum(path.stat().st_size for path in self._folder.iterdir() if path.is_file())

    def _new_part(self) -> Path:
        # Names sort by time, and nobody else has them: also not a file that was moved away.
        return self._folder / f"brackets-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}.jsonl"


def _append(part: Path, line: bytes) -> None:
    with part.open("ab", buffering=0) as file:
        before, rest = file.tell(), memoryview(line)
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            file.truncate(before)
            raise
