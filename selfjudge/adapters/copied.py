"""Errors about a copy that name its source, because users don't know the folders of copies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfjudge.errors import AdapterError


@contextmanager
def told_of(source: Path, copy: Path) -> Iterator[None]:
    """Has an AdapterError name files in the source where it names files in the copy."""
    try:
        yield
    except AdapterError as error:
        raise AdapterError(error.reason, str(error).replace(str(copy), str(source))) from error
