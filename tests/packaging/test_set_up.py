"""scripts/set_up.py with a recorder in place of the commands it runs: what it keeps, repairs and refuses."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import set_up


class Recorder:
    """Stands in for set_up.run: keeps the commands, makes what `venv` makes, and fails where told to."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.interrupt_at: str | None = None

    def __call__(self, *command: str | Path) -> None:
        line = " ".join(map(str, command))
        self.commands.append(line)
        if self.interrupt_at and self.interrupt_at in line:
            raise KeyboardInterrupt
        if " -m venv " in line:
            set_up.PYTHON.parent.mkdir(parents=True)
            set_up.PYTHON.touch()

    def count(self, part: str) -> int:
        """Return how many commands contain `part`."""
        return sum(part in command for command in self.commands)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with lists and no .venv, on a machine without a GPU that has what the system must bring."""
    (tmp_path / "requirements").mkdir()
    for name in ("pyproject.toml", "requirements/cpu.txt", "requirements/train.txt", "requirements/dev.txt"):
        (tmp_path / name).write_text(f"# {name}\n")
    monkeypatch.setattr(set_up, "ROOT", tmp_path)
    monkeypatch.setattr(set_up, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(set_up, "STATE_FILE", tmp_path / ".venv" / "set-up.json")
    monkeypatch.setattr(set_up, "DISCARDED", tmp_path / ".venv-discarded")
    monkeypatch.setattr(set_up, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(set_up, "accelerator", lambda: "cpu")
    monkeypatch.setattr(set_up, "check_system", lambda kind: None)
    return tmp_path


@pytest.fixture
def recorder(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """The commands that set-ups of `checkout` run."""
    recorder = Recorder()
    monkeypatch.setattr(set_up, "run", recorder)
    return recorder


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs the script with the given flags."""

    def run_main(*flags: str) -> None:
        monkeypatch.setattr(sys, "argv", ["set_up.py", *flags])
        set_up.main()

    return run_main


def test_second_run_does_nothing(recorder: Recorder, make: Callable[..., None]) -> None:
    make()
    assert recorder.count("--no-deps") == 2
    assert recorder.count("verify_environment cpu") == 1
    before = list(recorder.commands)
    make()
    assert recorder.commands == before


def test_a_larger_set_up_builds_on_a_smaller_one(recorder: Recorder, make: Callable[..., None]) -> None:
    make()
    make("--train", "--dev")
    assert recorder.count("-m venv") == 1
    assert recorder.count("requirements/dev.txt") == 1
    before = list(recorder.commands)
    make("--train")
    make()
    assert recorder.commands == before


def test_a_changed_list_is_installed(checkout: Path, recorder: Recorder, make: Callable[..., None]) -> None:
    make()
    (checkout / "requirements" / "cpu.txt").write_text("# changed\n")
    make()
    assert recorder.count("requirements/cpu.txt") == 2
    assert recorder.count("-m venv") == 1


@pytest.mark.parametrize("step", ["-m venv", "requirements/cpu.txt", "compileall", "--editable", "verify_environment"])
def test_an_interrupted_set_up_is_made_again(
    step: str, checkout: Path, recorder: Recorder, make: Callable[..., None]
) -> None:
    recorder.interrupt_at = step
    with pytest.raises(KeyboardInterrupt):
        make()
    (checkout / ".venv" / "half-installed").touch()
    recorder.interrupt_at = None
    make()
    assert not (checkout / ".venv" / "half-installed").exists()
    assert recorder.count("-m venv") == 2
    assert recorder.commands[-1].endswith("verify_environment cpu")


def test_a_moved_checkout_is_set_up_again(checkout: Path, recorder: Recorder, make: Callable[..., None]) -> None:
    make()
    state = checkout / ".venv" / "set-up.json"
    state.write_text(state.read_text().replace(str(checkout), "/elsewhere"))
    make()
    assert recorder.count("-m venv") == 2


def test_a_foreign_venv_is_never_touched(checkout: Path, recorder: Recorder, make: Callable[..., None]) -> None:
    treasure = checkout / ".venv" / "treasure"
    treasure.parent.mkdir()
    treasure.touch()
    with pytest.raises(SystemExit, match="not made by this set-up"):
        make()
    assert treasure.exists()
    assert recorder.commands == []


def test_a_changed_project_keeps_the_lists(checkout: Path, recorder: Recorder, make: Callable[..., None]) -> None:
    make()
    (checkout / "pyproject.toml").write_text("# changed\n")
    make()
    assert recorder.count("requirements/cpu.txt") == recorder.count("-m venv") == 1
    assert recorder.count("--editable") == recorder.count("verify_environment") == 2


def test_an_old_python_is_told_what_is_needed(
    recorder: Recorder, make: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer"):
        make()
    assert recorder.commands == []


def test_a_failing_command_is_named() -> None:
    with pytest.raises(SystemExit, match="exit status 3 from: "):
        set_up.run(sys.executable, "-c", "raise SystemExit(3)")
