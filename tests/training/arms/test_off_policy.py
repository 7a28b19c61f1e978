"""Self-training from a buffer: filled once by the initial policy, never again."""

from pathlib import Path

import pytest
from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from selfjudge_training.arms.off_policy import train_off_policy
from selfjudge_training.run.config import ConfigError, load_config
from selfjudge_training.run.metrics import read_metrics
from selfjudge_training.self_training.config import SelfTrainingConfig
from selfjudge_training.self_training.stage import Parts

TOY = Path(__file__).parents[1] / "self_training" / "toy.yaml"


def toy(model: Path, *overrides: str) -> SelfTrainingConfig:
    return load_config(SelfTrainingConfig, TOY, [f"model={model}", *overrides])


def test_the_buffer_is_met_again_and_a_lost_part_is_made_again(toy_folder: Path, tmp_path: Path) -> None:
    config = toy(toy_folder, "prompts.checkable=16", "optimisation.batch=16", "optimisation.epochs=3")
    train_off_policy(config, tmp_path / "run")
    first, second, third = read_metrics(tmp_path / "run")
    for name in ("pairs", "sampled/tokens", "judge/position_consistency"):
        assert first[name] == second[name] == third[name]
    assert third["loss"] < first["loss"]
    parts = sorted((tmp_path / "run" / "buffer").iterdir())
    assert len(parts) == 4
    again = tmp_path / "again" / "buffer"
    again.mkdir(parents=True)
    for part in parts[1:]:
        (again / part.name).write_bytes(part.read_bytes())
    model = train_off_policy(config, tmp_path / "again")
    assert (again / parts[0].name).read_bytes() == parts[0].read_bytes()
    weights = (model / "model.safetensors").read_bytes()
    assert weights == (tmp_path / "run" / "model" / "model.safetensors").read_bytes()


def test_on_policy_samples_anew(toy_folder: Path, tmp_path: Path) -> None:
    source = Parts.make(toy(toy_folder), Accelerator(), tmp_path).on_policy
    assert source.judged(range(4), seed=1) == source.judged(range(4), seed=1)
    assert source.judged(range(4), seed=1) != source.judged(range(4), seed=2)


def test_iterations_are_refused(toy_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="iterations: should be 1 off-policy, not 2"):
        train_off_policy(toy(toy_folder, "iterations=2"), tmp_path)
