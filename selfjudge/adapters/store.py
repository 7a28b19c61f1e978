"""A folder of policies and their versions: `<root>/<policy>/<version>/`, written once, never changed.

A version appears by one rename, whole and on disk, so a reader sees all of it or nothing, however many publish at once
and wherever one of them is killed. Works on any file system whose rename is atomic, a volume shared by several machines
included. The server decides which version is in use.
"""

import contextlib
import errno
import hashlib
import logging
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError

from selfjudge.adapters.base import Base
from selfjudge.adapters.check import WEIGHTS, check_adapter
from selfjudge.adapters.config import CONFIG, copy_config
from selfjudge.adapters.copied import told_of
from selfjudge.adapters.manifest import MANIFEST, Manifest, PolicyName, VersionName, version_of
from selfjudge.durable import force_to_disk
from selfjudge.errors import AdapterError

_PARTIAL: Final = ".partial-"
"""Begins the names of folders that are being written or removed: no version's name begins so."""

_ABANDONED_SECONDS: Final = 24 * 3600.0
_MANIFEST_BYTES: Final = 1 << 20
_LOG = logging.getLogger(__name__)
_POLICY, _VERSION = TypeAdapter[str](PolicyName), TypeAdapter[str](VersionName)


class Store:
    """Versions of adapters on disk. Holds nothing in memory that another process could have changed."""

    def __init__(self, root: Path) -> None:
        """`root` may be missing until the first version is published."""
        self.root = root.resolve()
        self._damaged: set[Path] = set()

    def policies(self) -> list[str]:
        """Names of the policies that have a version, sorted."""
        return [name for name in _named(self.root, _POLICY) if _named(self.root / name, _VERSION)]

    def versions(self, policy: str) -> list[Manifest]:
        """The versions of a policy, oldest first; none where there is no such policy.

        One whose manifest can't be read is left out and logged once; `verify` says what is wrong with it.
        """
        folder = self._policy_folder(policy)
        found = (self._listed(policy, name) for name in _named(folder, _VERSION))
        return sorted(
            (manifest for manifest in found if manifest is not None), key=lambda each: (each.created, each.version)
        )

    def folder(self, policy: str, version: str) -> Path:
        """Where a version is; what PEFT and vLLM load. Raises AdapterError: `name`, `unknown`, `files`."""
        folder = self._policy_folder(policy) / _valid(_VERSION, version, "version", "16 hexadecimal digits")
        if folder.is_symlink() or folder.parent.is_symlink():
            raise AdapterError("files", f"{folder} leads out of the store by a symbolic link")
        if not folder.is_dir():
            raise AdapterError("unknown", f"{self.root} has no version {version} of {policy}")
        return folder

    def manifest(self, policy: str, version: str) -> Manifest:
        """What is known of a version. Raises AdapterError as `folder` does, or `manifest` where it can't be read."""
        return _read_manifest(self.folder(policy, version), policy)

    def verify(self, policy: str, version: str) -> Manifest:
        """Check that a version is what was published: its files, no others, each with its checksum.

        Raises AdapterError as `manifest` does, or `files` or `checksum` where a file is not what it was.
        """
        folder = self.folder(policy, version)
        manifest = _read_manifest(folder, policy)
        found, wanted = {path.name for path in folder.iterdir()}, {MANIFEST, *manifest.files}
        if found != wanted:
            raise AdapterError(
                "files", f"{folder} should hold {', '.join(sorted(wanted))}, but holds {', '.join(sorted(found))}"
            )
        for name, checksum in manifest.files.items():
            path = folder / name
            if path.is_symlink() or not path.is_file():
                raise AdapterError("files", f"{path} is no ordinary file")
            if _checksum(path) != checksum:
                raise AdapterError("checksum", f"{path} is not the file that was published: its checksum differs")
        return manifest

    def validate(self, policy: str, version: str, base: Base, max_rank: int | None = None) -> Manifest:
        """Check that a version is whole and that this base model can use it: what an engine should load, and no other.

        Raises AdapterError as `verify` and `check_adapter` do, or `base` where it was trained on another model.
        """
        manifest = self.verify(policy, version)
        if manifest.base != base.fingerprint:
            raise AdapterError(
                "base",
                f"{manifest.name} was trained on a base model with fingerprint {manifest.base[:16]}..., but this one's "
                f"is {base.fingerprint[:16]}...",
            )
        check_adapter(self.folder(policy, version), base.shapes, max_rank, base.weights)
        return manifest

    def publish(
        self,
        policy: str,
        adapter: Path,
        *,
        base: Base,
        template: str,
        max_rank: int | None = None,
        metrics: Mapping[str, float] | None = None,
        parent: str | None = None,
        recipe: Mapping[str, JsonValue] | None = None,
    ) -> Manifest:
        """Make a PEFT folder a version of a policy; content that is there already is the version that it was.

        Takes the adapter's configuration and weights, nothing else that the folder holds. `parent` names a version of
        the policy. Raises AdapterError as `check_adapter` does, `name` and `unknown`, and as `verify` does where the
        same content was published before and has been damaged since.
        """
        folder = self._policy_folder(policy)
        if parent is not None:
            self.folder(policy, parent)
        with _partial_folder(folder) as partial:
            # The copy is checked, because the copy is published, whatever happens to the source meanwhile.
            files = _copy_files(adapter, partial)
            with told_of(adapter, partial):
                config = check_adapter(partial, base.shapes, max_rank, base.weights)
            manifest = Manifest(
                version=version_of(base.fingerprint, files),
                policy=policy,
                base=base.fingerprint,
                template=template,
                rank=config.largest_rank,
                metrics=dict(metrics or {}),
                parent=parent,
                created=datetime.now(UTC),
                recipe=dict(recipe or {}),
                files=files,
            )
            (partial / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
            if _put_in_place(partial, folder / manifest.version):
                return manifest
        return self.verify(policy, manifest.version)

    def remove(self, policy: str, version: str) -> None:
        """Delete a version; it is gone from the store at once. No process may still use its files."""
        folder = self.folder(policy, version)
        doomed = folder.with_name(f"{_PARTIAL}{uuid.uuid4().hex}")
        folder.rename(doomed)
        shutil.rmtree(doomed)

    def _policy_folder(self, policy: str) -> Path:
        wanted = "1 to 64 lower-case letters, digits and, inside, '.', '_', '-'"
        return self.root / _valid(_POLICY, policy, "policy", wanted)

    def _listed(self, policy: str, version: str) -> Manifest | None:
        try:
            return self.manifest(policy, version)
        except AdapterError as error:
            folder = self.root / policy / version
            if error.reason != "unknown" and folder not in self._damaged:
                self._damaged.add(folder)
                _LOG.warning("left out of the list of versions: %s", error)
            return None


def _valid(kind: TypeAdapter[str], name: str, what: str, wanted: str) -> str:
    try:
        return kind.validate_python(name)
    except ValidationError as error:
        raise AdapterError("name", f"{name!r} is no name of a {what}: wanted are {wanted}") from error


def _named(folder: Path, kind: TypeAdapter[str]) -> list[str]:
    """Names of the folders in a folder that are names of a kind, sorted; no symbolic links."""

    def fits(path: Path) -> bool:
        try:
            kind.validate_python(path.name)
        except ValidationError:
            return False
        return path.is_dir() and not path.is_symlink()

    if not folder.is_dir() or folder.is_symlink():
        return []
    return sorted(path.name for path in folder.iterdir() if fits(path))


def _read_manifest(folder: Path, policy: str) -> Manifest:
    path = folder / MANIFEST
    try:
        if path.is_symlink() or path.stat().st_size > _MANIFEST_BYTES:
            raise AdapterError("manifest", f"{path} is no ordinary file of at most {_MANIFEST_BYTES:,} bytes")
        manifest = Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise AdapterError("manifest", f"{path} is no manifest: {error}") from error
    except OSError as error:
        # Another process may have removed the version since its folder was looked for.
        raise AdapterError("manifest" if folder.is_dir() else "unknown", f"{path} can't be read: {error}") from error
    if (manifest.policy, manifest.version) != (policy, folder.name):
        raise AdapterError("manifest", f"{path} is of {manifest.name}, not of {policy}@{folder.name}")
    return manifest


def _copy_files(source: Path, target: Path) -> dict[str, str]:
    """Copy what an adapter consists of; returns the checksum of each file."""
    copy_config(source, target)
    if not (source / WEIGHTS).is_file():
        raise AdapterError(
            "files", f"{source} holds no adapter: it has no {WEIGHTS}, which PEFT's save_pretrained writes"
        )
    shutil.copyfile(source / WEIGHTS, target / WEIGHTS)
    return {name: _checksum(target / name) for name in (CONFIG, WEIGHTS)}


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _partial_folder(policy: Path) -> Iterator[Path]:
    """An empty folder for this process alone, removed at the end unless it was renamed."""
    policy.mkdir(parents=True, exist_ok=True)
    force_to_disk(policy.parent)
    _remove_abandoned(policy)
    partial = policy / f"{_PARTIAL}{uuid.uuid4().hex}"
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _remove_abandoned(policy: Path) -> None:
    """Delete folders that killed publishers left, untouched for a day."""
    for path in policy.glob(f"{_PARTIAL}*"):
        with contextlib.suppress(FileNotFoundError):  # another publisher may be deleting it too
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _put_in_place(partial: Path, version: Path) -> bool:
    """Force a folder to disk, and only then give it its name; False where that is taken."""
    for path in (*partial.iterdir(), partial):
        force_to_disk(path)
    try:
        partial.rename(version)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
            return False
        raise
    force_to_disk(version.parent)
    return True
