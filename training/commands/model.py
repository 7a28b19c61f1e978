"""`selfjudge-train model`: the shipped model from nothing."""

import argparse
from importlib.resources import files
from pathlib import Path

from training.commands.arguments import positive

NAME = "model"
HELP = "train the shipped model from nothing"
DESCRIPTION = (
    "Run a whole recipe: tokenizer, pre-training, sampling of preference pairs, JSFT with mining of hard pairs. "
    "An interrupted run goes on at the stage where it stopped."
)
SHIPPED = "selfjudge-tiny"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    recipe = Path(str(files("training").joinpath("recipes", f"{SHIPPED}.yaml")))
    parser.add_argument("--recipe", type=Path, default=recipe, help="YAML file with every number of the recipe")
    parser.add_argument(
        "--work", type=Path, default=Path("build", SHIPPED), help="directory for what is made on the way"
    )
    parser.add_argument("--output", type=Path, default=Path("models", SHIPPED), help="directory for the finished model")
    parser.add_argument("--workers", type=positive, default=2, help="processes, each on a core of its own")


def run(options: argparse.Namespace) -> int:
    """Trains it."""
    from training.tiny.build import Build  # noqa: PLC0415
    from training.tiny.recipe import load_recipe  # noqa: PLC0415

    Build(load_recipe(options.recipe), options.work, options.workers).run(options.output)
    print(f"wrote {options.output}; measure it with 'selfjudge-train evaluate truth --model {options.output}'")
    return 0
