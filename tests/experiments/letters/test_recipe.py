"""Recipes: what is refused, with which words, and the whole build on a toy recipe."""

import json
from pathlib import Path

import pytest
import yaml
from selfjudge_training.run.config import ConfigError, load_config

from experiments.letters.__main__ import RECIPE, main
from experiments.letters.build import Build
from experiments.letters.letters_recipe import Recipe
from experiments.letters.model import load_model

TOY = Path(__file__).with_name("toy-recipe.yaml")


def changed(tmp_path: Path, section: str | None, key: str, value: object) -> Path:
    content = yaml.safe_load(TOY.read_text(encoding="utf-8"))
    target = content if section is None else content[section]
    target = target[0] if isinstance(target, list) else target
    target[key] = value
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", [RECIPE, TOY])
def test_our_recipes_are_accepted(path: Path) -> None:
    assert load_config(Recipe, path).rounds


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("pretraining", "stepz", 5, r"'pretraining\.stepz': unknown key; accepted are batch, checkpoints"),
        ("rounds", "pear", 5, r"'rounds\.0\.pear': unknown key; accepted are attack_share, dialogues"),
        ("rounds", "attack_share", 1.5, r"'rounds\.0\.attack_share': Input should be less than or equal to 1"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_accepted(
    tmp_path: Path, section: str | None, key: str, value: object, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(Recipe, changed(tmp_path, section, key, value))


def test_a_directory_with_another_recipes_work_is_refused(tmp_path: Path) -> None:
    Build(load_config(Recipe, TOY), tmp_path / "work")
    (tmp_path / "work" / "pretraining").mkdir()
    with pytest.raises(ConfigError, match=r"another configuration .*seed: 0 there, 9 now"):
        Build(load_config(Recipe, changed(tmp_path, None, "seed", 9)), tmp_path / "work")


def test_values_of_a_recipe_can_be_overridden(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"override 'rounds\.0\.steps=0': key 'rounds\.0\.steps'"):
        main(["build", "--work", str(tmp_path / "work"), "rounds.0.steps=0"])
    assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_a_toy_recipe_builds_a_model_and_is_not_built_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["build", "--recipe", str(TOY), "--work", str(tmp_path / "work"), "--output", str(tmp_path / "model")]
    main(command)
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    assert load_model(tmp_path / "model")[0].num_parameters() > 0
    record = json.loads((tmp_path / "model" / "training.json").read_text(encoding="utf-8"))
    assert list(record) == ["pretraining", "pools", "mining-1", "round-1", "mining-2", "round-2"]
    capsys.readouterr()
    main(command)
    assert capsys.readouterr().out.count("done before") == 6
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == weights
