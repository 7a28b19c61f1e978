"""A plain `pip install selfjudge` brings the method alone: the commands then say what is missing in one line."""

import subprocess
import sys

import pytest

from tests.packaging.project import ROOT


def run_without(module: str, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as if a module had not been installed."""
    program = f"import sys; sys.modules[{module!r}] = None; from {command} import main; main()"
    line = [sys.executable, "-c", program, *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("command", "arguments", "module", "extra"),
    [
        ("selfjudge_service.command", "--help", "psutil", "selfjudge[cuda]"),
        ("selfjudge_service.command", "--help", "vllm", "selfjudge[cuda]"),
        ("selfjudge_service.command", "--help", "pydantic_settings", "requirements/cpu.txt"),
        ("selfjudge_training.command", "jsft --config jsft-tiny --dry-run", "torch", "selfjudge[train]"),
        ("selfjudge_training.command", "evaluate judge", "openai", "selfjudge[train]"),
    ],
)
def test_a_missing_package_is_told_in_a_line(command: str, arguments: str, module: str, extra: str) -> None:
    done = run_without(module, command, *arguments.split())
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert repr(module) in line
    assert extra in line


def test_a_broken_module_of_ours_is_not_taken_for_a_missing_package() -> None:
    assert "Traceback" in run_without("selfjudge_service.settings", "selfjudge_service.command", "--help").stderr
