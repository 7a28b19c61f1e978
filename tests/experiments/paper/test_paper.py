"""The whole program on a toy recipe."""

import json
import re
import sys
from pathlib import Path

import pytest
from selfjudge_training.run.config import ConfigError, load_config

from experiments.paper.__main__ import RECIPE, main
from experiments.paper.plan import plan_stages
from experiments.paper.recipe import PaperRecipe

TOY = Path(__file__).with_name("toy-recipe.yaml")


@pytest.fixture
def recipe() -> PaperRecipe:
    return load_config(PaperRecipe, TOY)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_leaves_models_measurements_and_a_report(
    tmp_path: Path, recipe: PaperRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, out = tmp_path / "work", tmp_path / "out"
    arguments = ["paper", "--recipe", str(TOY), "--work", str(work), "--output", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    main()
    stages = {stage.name for stage in plan_stages(recipe, work)}
    assert {path.name for path in work.iterdir() if path.is_dir()} == stages
    check_data(work / "data")
    check_report(out, recipe)


def check_data(folder: Path) -> None:
    """Demonstrations are about the same instructions, by the demonstrators alone."""
    names = ("train.jsonl", "demonstrations.jsonl")
    rows, shown = ([json.loads(line) for line in (folder / name).read_text().splitlines()] for name in names)
    assert [row["instruction"] for row in shown] == [row["instruction"] for row in rows]
    for row, of_demonstrators in zip(rows, shown, strict=True):
        assert [completion["model"] for completion in row["completions"]] == row["models"] == ["step-2", "step-4"]
        assert of_demonstrators["completions"] == row["completions"][:1]
        assert of_demonstrators["models"] == ["step-2"]


def check_report(out: Path, recipe: PaperRecipe) -> None:
    page = (out / "paper.md").read_text(encoding="utf-8")
    content = json.loads((out / "paper.json").read_text(encoding="utf-8"))["results"]
    assert [claim["text"] for claim in content["claims"]] == [
        "JSFT judges better than judge-only training",
        "on-policy beats off-policy beats offline",
        "self-rejection rises with N",
        "principles and rationales raise judge accuracy",
        "iterating helps, each time less",
    ]
    for claim in content["claims"]:
        assert f"| {claim['text']} | **{claim['verdict']}** |" in page
    assert "| offline | 28.57 |" in page
    assert "| JM-PR |  | 84.0 |" in page
    assert len(page.split()) < 1250
    assert content["models"]["jm"]["win_rate"]["mean"] == 0.5
    assert len(content["models"]["on-policy"]["win_rate"]["by_seed"]) == len(recipe.self_training.seeds)
    assert content["iterations"].keys() == {"previous", "first"}
    assert list(content["iterations"]["first"]) == ["0", "1", "2"]
    assert list(content["sweeps"]["JM"]) == ["1", "2", "4"]
    # A second copy of the weights anywhere in the process would make it 2 or more.
    assert 1 < content["parameters"]["in_process"] / content["parameters"]["model"] < 1.9
    for image in re.findall(r"!\[.*?\]\((.*?)\)", page):
        assert (out / image).stat().st_size > 10_000
    for line in page.splitlines():
        if line.startswith("|--"):
            continue
        assert not line.startswith("|") or line.endswith("|")


def test_our_recipe_is_accepted() -> None:
    recipe = load_config(PaperRecipe, RECIPE)
    assert len(recipe.jsft.seeds) == len(recipe.self_training.seeds) == 3


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("jsft.stepz=3", r"'jsft\.stepz': unknown key; accepted are batch, rate, replay, seeds, steps"),
        ("pretraining.stepz=3", r"'pretraining\.stepz': unknown key; accepted are batch, checkpoints"),
        ("self_training.iterations=1", r"greater than or equal to 2"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(PaperRecipe, TOY, [override])
