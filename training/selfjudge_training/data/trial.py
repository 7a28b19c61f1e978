"""Sources for a dry run: small, and none that has to be fetched."""

from collections.abc import Sequence
from pathlib import Path

from selfjudge_training.data.checkable.rows import checkable_rows, write_rows
from selfjudge_training.data.source import Part, Source

ROWS = 32
"""Read or generated per source."""


def few(sources: Sequence[Source], folder: Path) -> tuple[Source, ...]:
    """The heads of local sources; for those on the hub, generated rows of their formats, written to ``folder``."""
    return tuple(_few(source, folder) for source in sources)


def _few(source: Source, folder: Path) -> Source:
    if source.path is not None:
        # Of so few rows, a part may be none.
        return source.model_copy(update={"limit": min(source.limit or ROWS, ROWS), "part": Part.ALL})
    path = folder / f"{source.format}.jsonl"
    write_rows(checkable_rows(source.format, ROWS), path)
    return Source(format=source.format, path=path)
