"""`selfjudge-train model`: the shipped model from nothing."""

import argparse
from pathlib import Path

from selfjudge.shipped import SHIPPED_MODEL
from selfjudge_training.commands.arguments import positive
from selfjudge_training.commands.run_arguments import add_config_arguments

NAME = "model"
HELP = "train the shipped model from nothing"
DESCRIPTION = (
    "Run a whole recipe: tokenizer, pre-training, sampling of preference pairs, JSFT with mining of hard pairs. "
    "An interrupted run goes on at the stage where it stopped."
)
SHIPPED = "selfjudge-tiny"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_config_arguments(parser, config=SHIPPED, output=SHIPPED_MODEL, holds="finished model")
    parser.add_argument("--work", type=Path, default=Path("build", SHIPPED), help="folder for what is made on the way")
    parser.add_argument("--workers", type=positive, default=2, help="processes, each on a core of its own")


def run(options: argparse.Namespace) -> int:
    """Trains it."""
    from selfjudge_training.run.config import load_config, recipe_path  # noqa: PLC0415
    from selfjudge_training.tiny.build import Build  # noqa: PLC0415
    from selfjudge_training.tiny.recipe import Recipe  # noqa: PLC0415

    recipe = load_config(Recipe, recipe_path(options.config), options.overrides)
    Build(recipe, options.work, options.workers).run(options.output)
    print(f"wrote {options.output}; measure it with 'selfjudge-train evaluate truth --model {options.output}'")
    return 0
