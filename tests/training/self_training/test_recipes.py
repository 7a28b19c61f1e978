"""Recipes that ship: the paper's numbers, and a dry run of each."""

from pathlib import Path

import pytest
import yaml
from selfjudge_training.cli import main
from selfjudge_training.run.config import load_config, recipe_path
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig

DATA = ("hh", "ultrafeedback", "ultrafeedback-p", "ultrafeedback-pr")
SELF_TRAINING = tuple(f"self-train-{name}" for name in DATA)


@pytest.mark.parametrize("name", SELF_TRAINING)
def test_recipes_of_7b_models_have_the_values_of_table_9(name: str) -> None:
    recipe = yaml.safe_load(recipe_path(name).read_text(encoding="utf-8"))
    expected = {"epochs": 3, "batch": 64, "learning_rate": 5e-6, "warm_up": 0.1, "betas": [0.9, 0.999], "clip": 1.0}
    assert recipe["optimisation"] == expected
    assert recipe["lora"] == {"rank": 8, "alpha": 16, "dropout": 0.1}
    assert recipe["objective"] == {"loss": "dpo", "beta": 0.1}
    assert recipe["max_tokens"] == 2048
    assert recipe["decoding"] == {"temperature": 1.0, "top_p": 0.9, "max_new_tokens": 768}


def test_defaults_are_those_values_too() -> None:
    full = load_config(SelfTrainingConfig, recipe_path("self-train-hh"))
    bare = SelfTrainingConfig(model=full.model, prompts=full.prompts)
    for section in ("lora", "decoding", "objective", "optimisation"):
        assert getattr(full, section) == getattr(bare, section)


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["on-policy", "off-policy", "offline"])
@pytest.mark.parametrize("name", ["self-train-hh", "self-train-ultrafeedback-pr"])
def test_a_dry_run_passes(name: str, arm: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["self-train", "--config", name, "--dry-run", f"arm={arm}"]) == 0
    assert capsys.readouterr().out.endswith("the dry run passed\n")


def test_a_dry_run_refuses_what_the_run_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["self-train", "--dry-run", "architecture=lama"]) == 2
    assert "'lama'" in capsys.readouterr().err
    assert main(["self-train", "--dry-run", "--tokenizer", str(tmp_path)]) == 2
    assert "no tokenizer there" in capsys.readouterr().err


def test_the_judge_asks_as_jsft_taught_it() -> None:
    for name in DATA:
        taught, asks = (yaml.safe_load(recipe_path(each).read_text("utf-8")) for each in (name, f"self-train-{name}"))
        assert asks["judge"]["template"] == taught["data"]["template"]
        assert asks["model"] == f"build/jsft-{name}/model"
