"""The recipes that ship are accepted, and are the paper's; what a run writes as its configuration is one too."""

from pathlib import Path

import pytest
import yaml
from accelerate.commands.config import load_config_from_file  # type: ignore[import-untyped]  # it ships no py.typed
from selfjudge_training.evaluation.evaluation_config import JudgeConfig, PolicyConfig
from selfjudge_training.jsft.jsft_config import JsftConfig, Lora, Optimisation
from selfjudge_training.run.config import ConfigError, Section, load_config, recipe_path
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig

from selfjudge import load_templates

PAPERS = ("hh", "ultrafeedback", "ultrafeedback-p", "ultrafeedback-pr")
KINDS: dict[str, type[Section]] = {
    "evaluate-judge": JudgeConfig,
    "evaluate-policy": PolicyConfig,
    "hh": JsftConfig,
    "jsft-smollm2": JsftConfig,
    "jsft-tiny": JsftConfig,
    "self-train-hh": SelfTrainingConfig,
    "self-train-server": SelfTrainingConfig,
    "self-train-smollm2": SelfTrainingConfig,
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


@pytest.mark.parametrize("name", PAPERS)
def test_recipes_of_jsft_have_the_values_of_table_9(name: str) -> None:
    config = load_config(JsftConfig, recipe_path(name))
    how = config.optimisation
    assert (how.epochs, how.batch, how.learning_rate, how.schedule, how.warm_up) == (1, 128, 2e-5, "cosine", 0.03)
    assert (how.beta1, how.beta2, how.clip, how.weighting) == (0.9, 0.999, 1.0, "tokens")
    assert (config.data.max_length, config.lora) == (2048, None)
    templates = load_templates()
    default = templates["hh-helpful" if name == "hh" else "ultrafeedback"].system
    assert config.data.system == default


def test_the_defaults_of_jsft_are_the_papers() -> None:
    recipe = load_config(JsftConfig, recipe_path("hh")).optimisation
    assert recipe == Optimisation()
    assert (Lora().rank, Lora().alpha, Lora().dropout) == (8, 16, 0.1)


def test_a_mistake_in_an_override_is_named() -> None:
    with pytest.raises(ConfigError, match=r"key 'optimisation\.weighting': Input should be 'tokens' or 'examples'"):
        load_config(JsftConfig, recipe_path("hh"), ["optimisation.weighting=words"])
    with pytest.raises(ConfigError, match="give at least one source under 'demonstrations', 'pairs' or 'scores'"):
        load_config(JsftConfig, recipe_path("hh"), ["data.pairs=[]", "data.demonstrations=[]"])


def test_accelerate_accepts_the_configuration_of_several_gpus() -> None:
    path = Path("training/selfjudge_training/recipes/accelerate/fsdp.yaml")
    loaded = load_config_from_file(str(path))
    assert loaded.fsdp_config == yaml.safe_load(path.read_text(encoding="utf-8"))["fsdp_config"]
    assert loaded.distributed_type == "FSDP"


@pytest.mark.parametrize("name", [f"self-train-{name}" for name in PAPERS])
def test_recipes_of_self_training_have_the_values_of_table_9(name: str) -> None:
    recipe = yaml.safe_load(recipe_path(name).read_text(encoding="utf-8"))
    expected = {"epochs": 3, "batch": 64, "learning_rate": 5e-6, "warm_up": 0.1, "betas": [0.9, 0.999], "clip": 1.0}
    assert recipe["optimisation"] == expected
    assert recipe["lora"] == {"rank": 8, "alpha": 16, "dropout": 0.1}
    assert recipe["objective"] == {"loss": "dpo", "beta": 0.1}
    assert recipe["max_tokens"] == 2048
    assert recipe["decoding"] == {"temperature": 1.0, "top_p": 0.9, "max_new_tokens": 768}


def test_the_defaults_of_self_training_are_those_too() -> None:
    full = load_config(SelfTrainingConfig, recipe_path("self-train-hh"))
    bare = SelfTrainingConfig(model=full.model, prompts=full.prompts)
    for section in ("lora", "decoding", "objective", "optimisation"):
        assert getattr(full, section) == getattr(bare, section)


def test_the_judge_asks_as_jsft_taught_it() -> None:
    for name in PAPERS:
        taught, asks = (yaml.safe_load(recipe_path(each).read_text("utf-8")) for each in (name, f"self-train-{name}"))
        assert asks["judge"]["template"] == taught["data"]["template"]
        assert asks["model"] == f"build/jsft-{name}/model"
