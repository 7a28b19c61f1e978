"""One server to learn from, for this whole room: it logs tournaments as docs/flywheel.md says, and has a store."""

import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, chdir
from pathlib import Path

import pytest

from tests.end_to_end.serving import Server, serving

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs" / "flywheel.md").read_text(encoding="utf-8")
SERVE, ASK, TRAIN = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The room's working directory, with the models of the checkout."""
    folder = tmp_path_factory.mktemp("learning")
    (folder / "selfjudge").mkdir()
    (folder / "selfjudge" / "models").symlink_to(ROOT / "selfjudge" / "models")
    return folder


@pytest.fixture(autouse=True)
def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@pytest.fixture(scope="package")
def store(folder: Path) -> Path:
    """Empty at first."""
    return folder / "store"


@pytest.fixture(scope="package")
def server(folder: Path, store: Path) -> Iterator[Server]:
    command, model, *flags = shlex.split(SERVE)
    assert (command, model) == ("selfjudge-serve", "tiny")
    flags += ["--adapters-dir", str(store)]
    environment = {"SELFJUDGE_ADMIN_KEYS": "admin"}
    with ExitStack() as stack:
        with chdir(folder):
            running = stack.enter_context(serving(folder / "log", *flags, key="user", environment=environment))
        yield running
