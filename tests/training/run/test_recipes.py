"""Every recipe that ships: what a run writes as its configuration can be given to another run."""

from pathlib import Path

import pytest
from selfjudge_training.evaluation.evaluation_config import JudgeConfig, PolicyConfig
from selfjudge_training.jsft.jsft_config import JsftConfig
from selfjudge_training.run.config import Section, load_config, recipe_path
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig

KINDS: dict[str, type[Section]] = {
    "evaluate-judge": JudgeConfig,
    "evaluate-policy": PolicyConfig,
    "hh": JsftConfig,
    "jsft-tiny": JsftConfig,
    "self-train-hh": SelfTrainingConfig,
    "self-train-server": SelfTrainingConfig,
    "self-train-tiny": SelfTrainingConfig,
    "self-train-ultrafeedback": SelfTrainingConfig,
    "self-train-ultrafeedback-p": SelfTrainingConfig,
    "self-train-ultrafeedback-pr": SelfTrainingConfig,
    "ultrafeedback": JsftConfig,
    "ultrafeedback-p": JsftConfig,
    "ultrafeedback-pr": JsftConfig,
}


def test_every_recipe_has_its_kind_here() -> None:
    shipped = {path.stem for path in recipe_path("hh").parent.glob("*.yaml")}
    assert shipped == KINDS.keys()


@pytest.mark.parametrize("name", KINDS)
def test_the_configuration_that_a_run_writes_is_a_recipe(name: str, tmp_path: Path) -> None:
    config = load_config(KINDS[name], recipe_path(name))
    RunFolder.open(tmp_path, config, seed=config.model_dump()["seed"])
    assert load_config(KINDS[name], tmp_path / "config.yaml") == config
