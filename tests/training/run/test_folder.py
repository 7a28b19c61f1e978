"""The folder of a run: what it writes, what it refuses, and its metrics across an interruption."""

import json
from pathlib import Path
from unittest.mock import Mock

import pytest
import yaml
from selfjudge_training.run.checkpoint import new_checkpoint
from selfjudge_training.run.config import ConfigError, Section
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.run.metrics import read_metrics
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]  # it has no annotations
    EventAccumulator,
)


class Inner(Section):
    """A part of it."""

    rate: float = 0.5


class Config(Section):
    """A stage's."""

    seed: int = 0
    inner: Inner = Inner()


def test_a_run_tells_its_configuration_seed_and_versions(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", Config(), seed=3)
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text()) == {"seed": 3, "inner": {"rate": 0.5}}
    assert {"python", "torch", "selfjudge"} <= json.loads((tmp_path / "run" / "versions.json").read_text()).keys()


def test_a_folder_of_another_configuration_is_refused_by_key(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, Config(), seed=0).metrics.log(1, loss=0.5)
    RunFolder.open(tmp_path, Config(), seed=0)
    with pytest.raises(ConfigError, match=r"inner\.rate: 0\.5 there, 0\.25 now"):
        RunFolder.open(tmp_path, Config(inner=Inner(rate=0.25)), seed=0)
    with pytest.raises(ConfigError, match="seed: 0 there, 1 now"):
        RunFolder.open(tmp_path, Config(), seed=1)


def test_a_folder_in_which_nothing_was_done_is_free(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, Config(), seed=0)
    (tmp_path / "versions.json").write_text('{"torch": "1.0"}', encoding="utf-8")
    RunFolder.open(tmp_path, Config(inner=Inner(rate=0.25)), seed=1)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text()) == {"seed": 1, "inner": {"rate": 0.25}}
    assert json.loads((tmp_path / "versions.json").read_text())["torch"] != "1.0"


def test_other_versions_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RunFolder.open(tmp_path, Config(), seed=0)
    kept = json.loads((tmp_path / "versions.json").read_text())
    (tmp_path / "versions.json").write_text(json.dumps({**kept, "torch": "1.0"}))
    RunFolder.open(tmp_path, Config(), seed=0)
    assert "other versions (torch 1.0 -> " in capsys.readouterr().err


def test_a_resumed_run_logs_every_step_once(tmp_path: Path) -> None:
    before = RunFolder.open(tmp_path, Config(), seed=0)
    for step in range(1, 6):
        before.metrics.log(step, **{"loss": 1.0 / step, "judge/accuracy": 0.5})
    before.metrics.close()
    with new_checkpoint(tmp_path, 3):
        pass
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    resumed = RunFolder.open(tmp_path, Config(), seed=0)
    for step in range(4, 7):
        resumed.metrics.log(step, loss=1.0 / step)
    resumed.metrics.close()
    assert [(line["step"], line["loss"]) for line in read_metrics(tmp_path)] == [(n, 1.0 / n) for n in range(1, 7)]
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("loss")] == [1, 2, 3, 4, 5, 6]


def test_other_processes_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("folder", "metrics"):
        monkeypatch.setattr(f"selfjudge_training.run.{module}.processes", lambda: Mock(is_main_process=False))
    folder = RunFolder.open(tmp_path / "run", Config(), seed=0)
    folder.metrics.log(1, loss=1.0)
    assert not (tmp_path / "run").exists()
