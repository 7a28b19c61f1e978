"""A store turns LoRA on in the engine; without one it stays off."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from selfjudge_service.server.launcher import _parse
from selfjudge_service.settings import Settings


@pytest.fixture(autouse=True)
def _environment_is_put_back() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_a_store_turns_lora_on() -> None:
    assert _parse(["--adapters-dir", "store", "--adapters-watch"], on_cpu=True).enable_lora
    settings = Settings()
    assert (settings.adapters_dir, settings.adapters_watch) == (Path("store"), True)


def test_so_does_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFJUDGE_ADAPTERS_DIR", "store")
    assert _parse([], on_cpu=True).enable_lora


def test_without_a_store_it_is_off_unless_asked_for() -> None:
    assert not _parse([], on_cpu=True).enable_lora
    assert _parse(["--enable-lora"], on_cpu=True).enable_lora


def test_admin_keys_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFJUDGE_ADMIN_KEYS", "one, two,")
    assert Settings().admin_keys == ("one", "two")
