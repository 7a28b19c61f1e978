"""Where the project's files are, and what its pyproject.toml says."""

import subprocess
import tomllib
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).resolve().parents[2]
PYPROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS: Final[dict[str, list[str]]] = PYPROJECT["project"]["optional-dependencies"]
BASE: Final[list[str]] = PYPROJECT["project"]["dependencies"]


def requirements(*texts: str) -> list[Requirement]:
    """Parse requirement strings."""
    return [Requirement(text) for text in texts]


def tracked_files() -> list[Path]:
    """Every tracked file that exists."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]
