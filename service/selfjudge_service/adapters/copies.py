"""Private copies of versions, so that the engine loads what was validated.

The engine reads an adapter's files again whenever it has dropped the adapter from memory, and dies if they are gone.
So a copy is kept as long as its version is loaded, whatever becomes of the store.
"""

import shutil
import weakref
from pathlib import Path
from tempfile import mkdtemp

from selfjudge.adapters.base import Base
from selfjudge.adapters.check import check_adapter
from selfjudge.adapters.copied import told_of
from selfjudge.adapters.manifest import Manifest
from selfjudge.adapters.store import Store
from selfjudge.errors import AdapterError


class Copies:
    """Copies versions from a store and validates them.

    Args:
        store: where versions are published.
        base: the served model.
        max_rank: the engine's limit.
    """

    def __init__(self, store: Store, base: Base, max_rank: int) -> None:
        self._store = store
        self._base = base
        self._max_rank = max_rank
        self._copies = Store(Path(mkdtemp(prefix="selfjudge-adapters-")))
        weakref.finalize(self, shutil.rmtree, self._copies.root, ignore_errors=True)

    def bring(self, policy: str, version: str) -> Path:
        """Returns the folder of a version's copy, which is made and validated unless it is there.

        A copy that was damaged, say by a program that empties folders for temporary files, is made anew.

        Raises:
            AdapterError: if the version can't be served on this model and engine.
            OSError: if it can't be read or copied.
        """
        copy = self._copies.root / policy / version
        if self._is_whole(policy, version):
            return copy
        shutil.rmtree(copy, ignore_errors=True)
        source = self._store.folder(policy, version)
        try:
            shutil.copytree(source, copy, symlinks=True)
            with told_of(source, copy):
                self._validate(self._copies.verify(policy, version), copy)
        except BaseException:
            shutil.rmtree(copy, ignore_errors=True)
            raise
        return copy

    def _is_whole(self, policy: str, version: str) -> bool:
        try:
            self._copies.verify(policy, version)
        except AdapterError:
            return False
        return True

    def _validate(self, manifest: Manifest, copy: Path) -> None:
        served = self._base.fingerprint
        if manifest.base != served:
            raise AdapterError("base", f"it is for the base model {manifest.base[:16]}…, but {served[:16]}… is served")
        check_adapter(copy, self._base.shapes, self._max_rank, self._base.weights)

    def discard(self, policy: str, version: str) -> None:
        """Deletes the copy of a version that the engine doesn't use any more, or has not kept."""
        shutil.rmtree(self._copies.root / policy / version, ignore_errors=True)
