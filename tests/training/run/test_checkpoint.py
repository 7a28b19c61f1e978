"""Checkpoints under interruption: killed anywhere, the newest one that is seen is whole."""

import os
import shutil
from pathlib import Path

import pytest
from selfjudge_training.run.checkpoint import latest_checkpoint, new_checkpoint


def write(path: Path, text: str) -> None:
    (path / "deep").mkdir()
    (path / "weights").write_text(text, encoding="utf-8")
    (path / "deep" / "state").write_text(text, encoding="utf-8")


def save(folder: Path, step: int) -> None:
    with new_checkpoint(folder, step) as path:
        write(path, str(step))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_the_newest_two_stay(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path) is None
    for step in (5, 10, 100):
        save(tmp_path, step)
    assert names(tmp_path) == ["step-00000010", "step-00000100"]
    latest = latest_checkpoint(tmp_path)
    assert latest is not None
    assert latest.step == 100
    assert (latest.path / "deep" / "state").read_text(encoding="utf-8") == "100"


def test_one_that_was_not_finished_is_never_seen_and_is_removed_by_the_next(tmp_path: Path) -> None:
    save(tmp_path, 1)

    def stop() -> None:
        with new_checkpoint(tmp_path, 2) as path:
            write(path, "half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert latest_checkpoint(tmp_path) == (1, tmp_path / "checkpoints" / "step-00000001")
    save(tmp_path, 2)
    assert names(tmp_path) == ["step-00000001", "step-00000002"]


@pytest.mark.parametrize("action", ["rename", "rmtree", "fsync"])
def test_stopped_before_any_file_operation_what_is_seen_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """Interrupts at the first, second, ... call of one operation, until a save gets through without it."""
    owner: object = {"rename": Path, "rmtree": shutil, "fsync": os}[action]
    original = getattr(owner, action)
    for step in (1, 2):
        save(tmp_path, step)
    stopped = calls = 0
    for at in range(30):
        calls = 0

        def counted(*arguments: object, at: int = at, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls > at:
                raise KeyboardInterrupt
            return original(*arguments, **options)

        with monkeypatch.context() as patched:
            patched.setattr(owner, action, counted)
            try:
                save(tmp_path, 3 + at)
            except KeyboardInterrupt:
                stopped += 1
        latest = latest_checkpoint(tmp_path)
        assert latest is not None
        for file in ("weights", "deep/state"):
            assert (latest.path / file).read_text(encoding="utf-8") == str(latest.step)
        if calls <= at:
            break
    assert stopped
    assert calls <= at
