"""Where the project's files are, and what its pyproject.toml says."""

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
