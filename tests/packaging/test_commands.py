"""The commands that the README and CONTRIBUTING name exist, and say what they do."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from selfjudge_training.cli import main

from tests.packaging.project import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = {name for name in re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE) if not name.startswith("set-up")}


def output(*command: str | Path) -> str:
    """Run a command in the root of the checkout and return what it printed; a failure fails the test."""
    # `make test` tells makes below it that they are, and they would print the folder they enter.
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_make_help_lists_every_target_and_is_the_default() -> None:
    listed = output("make", "help")
    assert {line.split()[1] for line in listed.splitlines()} == TARGETS
    assert all(re.fullmatch(r"make \w+ +\S.{10,}\.", line) for line in listed.splitlines())
    assert output("make") == listed


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_named_make_targets_exist(document: str) -> None:
    named = set(
        re.findall(
            r"(?:^    |`)(?:[A-Z]+=\S+ )*(?:[A-Z]+=\S+ )*make (\w+)", (ROOT / document).read_text(), re.MULTILINE
        )
    )
    assert {"test"} <= named <= TARGETS


def test_ci_runs_the_readmes_test_command() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_serve_passes_on_where_and_what() -> None:
    where = ("HOST=0.0.0.0", "PORT=9000", "MODEL=some/model", "ARGS=--max-best-of-n 16 --api-key 'a b'")
    plan = output("make", "--dry-run", "serve", *where)
    flags = "--host 0.0.0.0 --port 9000 --max-best-of-n 16 --api-key 'a b'"
    assert plan.splitlines()[-1] == f"exec .venv/bin/selfjudge-serve some/model {flags}"


@pytest.mark.parametrize("command", ["publish", "evaluate", "evaluate judge", "evaluate policy"])
def test_help_of_a_training_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*command.split(), "--help"])
    assert f"selfjudge-train {command}" in capsys.readouterr().out
