"""Proves that the virtual environment it runs in is complete: `pip check`, and an import of everything installed.

The CPU lists are installed with --no-deps, so pip has not looked whether anything is missing. What they leave out on
purpose are the only remarks that pip may make. On CUDA nothing is left out, and only vLLM and torch are imported: some
of what vLLM's wheel requires there opens devices that not every machine has.
"""

import importlib
import subprocess
import sys
import warnings
from importlib.metadata import packages_distributions

from scripts.lock import LEFT_OUT

HINT = """\
If torch is not its CPU build: for Linux, PyPI only has CUDA builds of it. Name PyTorch's CPU index, which pytorch.org
lists, in PIP_EXTRA_INDEX_URL, or a folder with its wheel in PIP_FIND_LINKS, and run the command again."""


def main() -> None:
    """Exit with every complaint, or in silence."""
    (kind,) = sys.argv[1:]
    complaints = pip_complaints(frozenset() if kind == "cuda" else LEFT_OUT)
    complaints += import_complaints(["torch", "vllm"] if kind == "cuda" else installed_modules())
    if complaints:
        sys.exit("\n".join(["The environment is not complete:", *complaints, HINT]))


def pip_complaints(left_out: frozenset[str]) -> list[str]:
    """Return what `pip check` remarks, less the packages left out on purpose."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    if checked.returncode == 0:
        return []
    expected = tuple(f" requires {name}, which is not installed." for name in left_out)
    return [line for line in (checked.stdout + checked.stderr).splitlines() if not line.endswith(expected)]


def installed_modules() -> list[str]:
    """Return the public top-level modules of every installed distribution, setuptools first: it replaces distutils."""
    names = (name for name in packages_distributions() if name.isidentifier() and not name.startswith("_"))
    return sorted(names, key=lambda name: (name != "setuptools", name))


def import_complaints(modules: list[str]) -> list[str]:
    """Import each module and return what went wrong."""
    warnings.simplefilter("ignore")
    complaints = []
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001  a module may fail with anything; every failure is reported
            complaints.append(f"import {module}: {type(error).__name__}: {error}")
    return complaints


if __name__ == "__main__":
    main()
