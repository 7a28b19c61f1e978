"""What the wheel installs outside a checkout: packages of our own names, their data, both commands, the plugins."""

import subprocess
import sys
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

from tests.packaging.project import ROOT

PIP = (sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check")
# Where each package is in the repository, and in the wheel by its last name.
PACKAGES = ("selfjudge", "service/selfjudge_service", "training/selfjudge_training")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [*PIP, "wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={folder}", str(ROOT)]
    subprocess.run(command, check=True)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel is installed into."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([*PIP, "install", "--no-deps", f"--target={folder}", str(wheel)], check=True)
    return folder


def run(installed: Path, elsewhere: Path, *command: str) -> str:
    """Run a command of the installed copy in a folder that has a `service` and a `training` of its user's."""
    for name in ("service", "training", "models"):
        (elsewhere / name).mkdir(exist_ok=True)
        (elsewhere / name / "__init__.py").write_text("raise ImportError('the user\\'s own')\n")
    done = subprocess.run(
        [sys.executable, *command],
        cwd=elsewhere,
        env={"PYTHONPATH": f"{installed}:{elsewhere}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_holds_packages_of_our_own_names_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist()}
    ours = {PurePosixPath(package).name for package in PACKAGES}
    assert folders == {*ours, f"{wheel.name.removesuffix('-py3-none-any.whl')}.dist-info"}


def test_no_data_file_is_left_behind(wheel: Path) -> None:
    held = set(ZipFile(wheel).namelist())
    for package in PACKAGES:
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "."],
            cwd=ROOT / package,
            capture_output=True,
            text=True,
            check=True,
        )
        assert {f"{PurePosixPath(package).name}/{name}" for name in listed.stdout.split("\0") if name} <= held


def test_its_commands_its_model_and_its_plugins_work_outside_a_checkout(installed: Path, tmp_path: Path) -> None:
    """The server's command and the plugins in one process: both import vLLM."""
    program = """
import runpy, sys
from importlib.metadata import distribution
from selfjudge.shipped import TINY_MODEL
print(TINY_MODEL)
for point in distribution("selfjudge").entry_points:
    if point.group.startswith("vllm."):
        print(sys.modules[point.load().__module__].__file__)
sys.argv = [sys.argv[1], "--help"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    served = run(installed, tmp_path, "-P", "-c", program, str(installed / "bin" / "selfjudge-serve"))
    model, *plugins = served.splitlines()[:3]
    assert Path(model).is_relative_to(installed)
    assert {name.name for name in Path(model).iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert all(Path(plugin).is_relative_to(installed) for plugin in plugins)
    assert "usage: selfjudge-serve" in served
    trained = run(installed, tmp_path, str(installed / "bin" / "selfjudge-train"), "--help")
    assert "usage: selfjudge-train" in trained
