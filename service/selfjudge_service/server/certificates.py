"""Certificates that are renewed while the server runs (vLLM's `--enable-ssl-refresh`).

Files are polled, because vLLM's own watcher ends at its first error, and notices only the first renewal where a file is
replaced by another, as is usual.
"""

import asyncio
import logging
import ssl
from pathlib import Path
from typing import NamedTuple

SECONDS = 10.0
"""Time from one look at the files to the next."""

_LOG = logging.getLogger(__name__)


class Files(NamedTuple):
    """Paths of PEM files, as uvicorn takes them."""

    certificate: str
    key: str | None
    authorities: str | None


class Certificates:
    """Keeps a server's context up to date.

    Args:
        context: of connections to come.
        files: what it was made of.
    """

    def __init__(self, context: ssl.SSLContext, files: Files) -> None:
        self._context = context
        self._files = files
        self._loaded = self._stamps()

    async def refresh(self) -> bool:
        """Loads the files if they have changed.

        Returns:
            True.

        Raises:
            OSError: if they can't be read or don't fit together; those before go on being used.
        """
        await asyncio.to_thread(self._refresh)
        return True

    def _refresh(self) -> None:
        stamps = self._stamps()
        if stamps == self._loaded:
            return
        # A context that has failed to load a pair may have one half of it.
        self._load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        self._load_into(self._context)
        self._loaded = stamps
        _LOG.info("certificates have been renewed")

    def _load_into(self, context: ssl.SSLContext) -> None:
        context.load_cert_chain(self._files.certificate, self._files.key)
        if self._files.authorities:
            context.load_verify_locations(self._files.authorities)

    def _stamps(self) -> list[tuple[int, int, int]]:
        found = [Path(path).stat() for path in self._files if path]
        return [(one.st_mtime_ns, one.st_size, one.st_ino) for one in found]
