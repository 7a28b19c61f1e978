"""Logs of the servers that are measured: kept, and shown, where something goes wrong."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHOWN_LINES = 30


@contextmanager
def logs_kept_on_failure() -> Iterator[Path]:
    """A folder for logs, which is deleted at the end of the block unless that is an exception."""
    folder = Path(tempfile.mkdtemp(prefix="selfjudge-load-"))
    try:
        yield folder
    except BaseException:
        _show(folder)
        raise
    shutil.rmtree(folder)


def _show(folder: Path) -> None:
    logs = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
    for log in logs:
        print(f"kept {log}", file=sys.stderr)
    if logs:
        lines = logs[-1].read_text(errors="replace").splitlines()[-_SHOWN_LINES:]
        print(f"the end of {logs[-1].name}:", *lines, sep="\n  ", file=sys.stderr)
