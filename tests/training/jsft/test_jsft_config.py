"""The recipes that ship are accepted, and are the paper's."""

from pathlib import Path

import pytest
import yaml
from accelerate.commands.config import load_config_from_file  # type: ignore[import-untyped]  # it ships no py.typed
from selfjudge_training.jsft.jsft_config import JsftConfig, Lora, Optimisation
from selfjudge_training.run.config import ConfigError, load_config, recipe_path

from selfjudge import load_templates

PAPERS = ("hh", "ultrafeedback", "ultrafeedback-p", "ultrafeedback-pr")


@pytest.mark.parametrize("name", [*PAPERS, "jsft-tiny"])
def test_recipes_are_accepted(name: str) -> None:
    config = load_config(JsftConfig, recipe_path(name))
    assert config.data.template in load_templates()


@pytest.mark.parametrize("name", PAPERS)
def test_recipes_for_7b_have_the_values_of_table_9(name: str) -> None:
    config = load_config(JsftConfig, recipe_path(name))
    how = config.optimisation
    assert (how.epochs, how.batch, how.learning_rate, how.schedule, how.warm_up) == (1, 128, 2e-5, "cosine", 0.03)
    assert (how.beta1, how.beta2, how.clip, how.weighting) == (0.9, 0.999, 1.0, "tokens")
    assert (config.data.max_length, config.lora) == (2048, None)
    templates = load_templates()
    default = templates["hh-helpful" if name == "hh" else "ultrafeedback"].system
    assert config.data.system == default


def test_the_defaults_are_the_papers() -> None:
    recipe = load_config(JsftConfig, recipe_path("hh")).optimisation
    assert recipe == Optimisation()
    assert (Lora().rank, Lora().alpha, Lora().dropout) == (8, 16, 0.1)


def test_a_mistake_in_an_override_is_named() -> None:
    with pytest.raises(ConfigError, match=r"key 'optimisation\.weighting': Input should be 'tokens' or 'examples'"):
        load_config(JsftConfig, recipe_path("hh"), ["optimisation.weighting=words"])
    with pytest.raises(ConfigError, match="give at least one source"):
        load_config(JsftConfig, recipe_path("hh"), ["data.pairs=[]", "data.demonstrations=[]"])


def test_accelerate_accepts_the_configuration_of_several_gpus() -> None:
    path = Path("training/selfjudge_training/recipes/accelerate/fsdp.yaml")
    loaded = load_config_from_file(str(path))
    assert loaded.fsdp_config == yaml.safe_load(path.read_text(encoding="utf-8"))["fsdp_config"]
    assert loaded.distributed_type == "FSDP"
