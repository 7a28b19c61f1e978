"""Notes of replicas: who serves what, and who is gone."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from selfjudge_service.adapters.replicas import FOLDER, Answering, Replicas

CHAT = {"chat": Answering(active="0" * 16, canaries={}, loaded=["0" * 16])}


def aged(root: Path, name: str, age: timedelta) -> Path:
    path = root / FOLDER / f"{name}.json"
    note = json.loads(path.read_text())
    path.write_text(json.dumps({**note, "seen": (datetime.now(UTC) - age).isoformat()}))
    return path


def test_each_replica_reads_the_notes_of_all(tmp_path: Path) -> None:
    first, second = Replicas(tmp_path, "first"), Replicas(tmp_path, "second")
    first.leave(CHAT)
    second.leave({})
    assert {note.replica: note.policies for note in second.notes()} == {"first": CHAT, "second": {}}
    assert first.notes() == second.notes()


def test_a_change_is_told_at_once_and_the_same_only_now_and_then(tmp_path: Path) -> None:
    replica = Replicas(tmp_path)
    replica.leave({})
    (before,) = replica.notes()
    replica.leave({})
    assert replica.notes() == [before]
    replica.leave(CHAT)
    assert replica.notes()[0].policies == CHAT


def test_who_is_gone_is_not_listed_and_in_the_end_forgotten(tmp_path: Path) -> None:
    Replicas(tmp_path, "gone").leave(CHAT)
    path = aged(tmp_path, "gone", timedelta(minutes=1))
    assert Replicas(tmp_path).notes() == []
    assert path.exists()
    aged(tmp_path, "gone", timedelta(days=2))
    assert Replicas(tmp_path).notes() == []
    assert not path.exists()


def test_a_store_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    replica = Replicas(tmp_path)
    assert not any(replica.leave(CHAT) for _ in range(3))
    assert caplog.text.count("can't be told what this one serves") == 1
    assert replica.notes() == []
