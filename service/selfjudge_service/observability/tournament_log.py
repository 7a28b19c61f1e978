"""The log of tournaments, which training reads: no request ever waits for the disk, or fails by it.

A thread writes what requests offer, through a queue of limited length. Lost lines are counted, and the first of each
kind of loss is logged.

Lines go to files of limited size in a folder of limited size. Nothing that was written is ever deleted or renamed. A
part is opened for one line and closed again, and a part that has been taken away is not continued: so parts may be
moved or deleted at any time, which makes room for new ones. Several processes may share a folder; each writes parts of
its own.
"""

import atexit
import fcntl
import json
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from typing import Any
from uuid import uuid4

from selfjudge_service.observability.metrics import BRACKETS, LogOutcome
from selfjudge_service.settings import Settings

QUEUE_LENGTH = 256
"""Tournaments that wait to be written."""
CLOSE_SECONDS = 5.0
"""How long a server that ends waits for what is left in the queue."""
PARTS = 16
"""Parts that a full folder has, if none was cut short by the end of a process."""
LOCK = ".lock"
_BYTES_PER_MIB = 2**20
_LOG = logging.getLogger(__name__)
Entry = Callable[[], dict[str, Any]]
"""Makes the object of a line; called in the thread, so that the event loop doesn't pay for it."""


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
        # Names sort by time, and are unique, among files that were moved away too.
        return self._folder / f"brackets-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}.jsonl"


class BracketLog:
    """A log of tournaments.

    Args:
        parts: where lines go.
        share: of the tournaments, drawn one by one, that is logged.
        queue_length: tournaments that may wait to be written; further ones are lost.
    """

    def __init__(self, parts: Parts, share: float, queue_length: int = QUEUE_LENGTH) -> None:
        self._parts = parts
        self._share = share
        self._random = random.Random()
        self._queue: Queue[Entry | None] = Queue(queue_length)
        self._told: set[str] = set()
        # A thread that keeps the process from ending would be waited for before it is told to stop.
        self._thread = Thread(target=self._write_until_closed, name="bracket-log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def offer(self, entry: Entry, *, store: bool | None) -> None:
        """Logs a tournament unless its request said `store: false`, or the draw leaves it out. Returns at once."""
        if store is False:
            BRACKETS.labels("opted_out").inc()
        elif self._random.random() >= self._share:
            BRACKETS.labels("not_sampled").inc()
        else:
            try:
                self._queue.put_nowait(entry)
            except Full:
                self._lost("queue_full", "the disk is too slow")

    def close(self) -> None:
        """Writes what is in the queue, as far as that takes no longer than `CLOSE_SECONDS`, and stops."""
        atexit.unregister(self.close)
        with suppress(Full):
            self._queue.put(None, timeout=CLOSE_SECONDS)
            self._thread.join(CLOSE_SECONDS)

    def _write_until_closed(self) -> None:
        while (entry := self._queue.get()) is not None:
            self._write(entry)

    def _write(self, entry: Entry) -> None:
        try:
            self._parts.append(json.dumps(entry(), allow_nan=False).encode() + b"\n")
        except FolderFullError:
            self._lost("log_full", "bracket_log_max_mib is reached; move files away to make room")
        except Exception as error:  # noqa: BLE001  the thread goes on, or all later ones would be lost
            self._lost("error", f"{type(error).__name__}: {error}")
        else:
            BRACKETS.labels("written").inc()

    def _lost(self, outcome: LogOutcome, reason: str) -> None:
        BRACKETS.labels(outcome).inc()
        if outcome not in self._told:
            self._told.add(outcome)
            _LOG.warning("a bracket is not logged: %s; from now on selfjudge_brackets_total counts these", reason)


def open_log(settings: Settings) -> BracketLog | None:
    """The log that an operator wants, if any.

    Raises:
        ValueError: if its folder can't be written to, saying why.
    """
    if settings.bracket_log is None:
        return None
    try:
        parts = Parts(settings.bracket_log, int(settings.bracket_log_max_mib * _BYTES_PER_MIB))
    except OSError as error:
        raise ValueError(f"bracket_log: must be a folder that can be written to: {error}") from error
    return BracketLog(parts, settings.bracket_log_share)


def _append(part: Path, line: bytes) -> None:
    with part.open("ab", buffering=0) as file:
        before, rest = file.tell(), memoryview(line)
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            file.truncate(before)
            raise
