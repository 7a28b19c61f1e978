"""Makes .venv and installs the pinned lists into it: every make target runs this first.

    python3 scripts/set_up.py                # the server: requirements/cpu.txt, or cuda.txt where nvidia-smi answers
    python3 scripts/set_up.py --train --dev  # the server, training, and what the checks and tests need

A state file inside .venv says what is installed, so a second run has nothing to do. A set-up that did not reach its end
is thrown away and made again; a .venv without a state file is somebody else's, and is never touched. Standard library
only, on the user's own python3: nothing is installed yet. Whether the result is complete is for
scripts/verify_environment.py to say.
"""

from __future__ import annotations  # lets Python 3.8 to 3.10 read as far as the message that they are too old

import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
VENV: Final = ROOT / ".venv"
STATE_FILE: Final = VENV / "set-up.json"
DISCARDED: Final = ROOT / ".venv-discarded"
PYTHON: Final = VENV / "bin" / "python"


class State(TypedDict):
    """What this set-up has made of .venv. Written before .venv is filled: its presence says that .venv is ours."""

    root: str
    """The checkout it belongs to: a virtual environment does not survive being moved."""
    accelerator: str
    """`cpu` or `cuda`, decided once per .venv."""
    installed: dict[str, str]
    """SHA-256 of each installed list and of pyproject.toml, by file name. Empty until a set-up has reached its end."""


def main() -> None:
    """Bring .venv up to date with the lists named on the command line."""
    parser = argparse.ArgumentParser(description="Make .venv and install the pinned lists into it.")
    parser.add_argument("--train", action="append_const", dest="extras", const="train", help="training as well")
    parser.add_argument("--dev", action="append_const", dest="extras", const="dev", help="checks and tests as well")
    extras = parser.parse_args().extras or []
    version = sys.version.split()[0]
    if sys.version_info < (3, 11):  # noqa: UP036  this script runs on whatever python3 is
        fail(f"needs Python 3.11 or newer, and {sys.executable} is {version}. Name another: make PYTHON=python3.11 ...")
    with one_at_a_time():
        state = usable_state()
        kind = state["accelerator"] if state else accelerator()
        wanted = fingerprints(kind, extras)
        installed = state["installed"] if state else {}
        if not wanted.items() <= installed.items():
            set_up(kind, wanted, installed)


def set_up(kind: str, wanted: dict[str, str], installed: dict[str, str]) -> None:
    """Install what `wanted` names, on top of what is `installed` or into a fresh .venv, and verify the whole."""
    started = time.monotonic()
    check_system(kind)
    if not installed:
        discard_unfinished()
    if lists := [name for name in wanted if name.endswith(".txt") and wanted[name] != installed.get(name)]:
        write_state(State(root=str(ROOT), accelerator=kind, installed={}))
        if not installed:
            say(f"making .venv with Python {sys.version.split()[0]}")
            run(sys.executable, "-m", "venv", VENV)
        say(f"installing {', '.join(f'requirements/{name}' for name in lists)}: minutes the first time")
        pip("install", "--no-deps", "--no-compile", *(f"--requirement=requirements/{name}" for name in lists))
        compile_bytecode()
    pip("install", "--no-deps", "--no-build-isolation", "--editable", ".")
    say("verifying: an import of everything and pip check")
    run(PYTHON, "-m", "scripts.verify_environment", kind)
    write_state(State(root=str(ROOT), accelerator=kind, installed=installed | wanted))
    say(f"done in {time.monotonic() - started:.0f} s")


def usable_state() -> State | None:
    """Return what finished set-ups of this checkout have installed; None if there is nothing to build on."""
    if not STATE_FILE.exists():
        return None
    state: State = json.loads(STATE_FILE.read_text())
    return state if state["installed"] and state["root"] == str(ROOT) and PYTHON.exists() else None


def write_state(state: State) -> None:
    """Replace the state file in one step, so that no interruption leaves half of it."""
    VENV.mkdir(exist_ok=True)
    partial = STATE_FILE.with_suffix(".partial")
    partial.write_text(json.dumps(state, indent=2) + "\n")
    partial.replace(STATE_FILE)


def discard_unfinished() -> None:
    """Delete a .venv that this script began and did not finish, or finished at another place; refuse any other."""
    if VENV.exists():
        if not STATE_FILE.exists():
            fail(f"{VENV} was not made by this set-up, so it is left alone. Move it away or delete it, and try again.")
        say("throwing away a .venv whose set-up did not finish here")
        shutil.rmtree(DISCARDED, ignore_errors=True)
        VENV.rename(DISCARDED)  # a deletion cut short must not leave a .venv without its state file
    shutil.rmtree(DISCARDED, ignore_errors=True)


def accelerator() -> str:
    """Return `cuda` where nvidia-smi answers, else `cpu`."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "cpu"
    return "cpu" if subprocess.run([program], check=False, capture_output=True).returncode else "cuda"


def fingerprints(kind: str, extras: list[str]) -> dict[str, str]:
    """Return the SHA-256 of all that decides what gets installed, by file name."""
    files = [ROOT / "pyproject.toml", *(ROOT / "requirements" / f"{name}.txt" for name in [kind, *extras])]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def check_system(kind: str) -> None:
    """Name what only the system's package manager can install, before minutes are spent on the rest."""
    if importlib.util.find_spec("ensurepip") is None:
        fail(f"{sys.executable} can't make virtual environments. On Debian and Ubuntu: apt-get install python3-venv")
    if kind == "cpu":
        try:
            ctypes.CDLL("libnuma.so.1")
        except OSError:
            fail("vLLM's CPU build needs libnuma.so.1. On Debian and Ubuntu: apt-get install libnuma1")


def pip(*arguments: str) -> None:
    """Run the virtual environment's pip."""
    run(PYTHON, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments)


def compile_bytecode() -> None:
    """Compile what was installed, on all cores.

    Importing vLLM costs more than twice the time without, and where bytecode is not written on import, at every start.
    """
    # Some packages carry templates that are no valid Python, so whether all of it compiled says nothing.
    packages = "sysconfig.get_path('purelib')"
    run(PYTHON, "-c", f"import compileall, sysconfig; compileall.compile_dir({packages}, quiet=2, workers=0)")


def run(*command: str | Path) -> None:
    """Run a command in the root of the checkout and end the set-up if it fails; it has said why."""
    if status := subprocess.run(command, check=False, cwd=ROOT).returncode:
        fail(f"exit status {status} from: {' '.join(map(str, command))}\nThe next run starts again from nothing.")


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let a second set-up of the same checkout wait for the first."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def say(message: str) -> None:
    """Print one line of progress."""
    print(f"set-up: {message}", flush=True)


def fail(message: str) -> None:
    """End the set-up with a message."""
    sys.exit(f"set-up: {message}")


if __name__ == "__main__":
    main()
