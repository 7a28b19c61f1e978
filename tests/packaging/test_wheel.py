"""What somebody gets who installs the wheel instead of cloning: packages, their data, and the model beside them."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.packaging.project import ROOT

PIP = (sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check")
PACKAGES = ("models", "selfjudge", "service", "training")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [*PIP, "wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={folder}", str(ROOT)]
    subprocess.run(command, check=True)
    (built,) = folder.iterdir()
    return built


def test_it_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist()}
    assert folders == {*PACKAGES, f"{wheel.name.removesuffix('-py3-none-any.whl')}.dist-info"}


def test_no_data_file_is_left_behind(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", *PACKAGES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    with ZipFile(wheel) as archive:
        assert {name for name in listed.stdout.split("\0") if name} <= set(archive.namelist())


def test_the_installed_server_finds_the_model_that_ships(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([*PIP, "install", "--no-deps", f"--target={tmp_path}", str(wheel)], check=True)
    program = "from service.launcher import SHIPPED_MODEL; print(SHIPPED_MODEL)"
    # -P keeps the current folder off the path: the installed copy must answer, not the checkout.
    found = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    model = Path(found.stdout.strip())
    assert model == tmp_path / "models" / "selfjudge-tiny"
    assert (model / "config.json").is_file()
