"""The command line: `python -m experiments.smollm2 train|evaluate`."""

import argparse
from pathlib import Path

from selfjudge_training.run.config import load_config
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.run.named_model import require_folder

from experiments.smollm2.evidence.evaluate import add_evaluate
from experiments.smollm2.smollm2_plan import WORKERS, plan_stages
from experiments.smollm2.smollm2_recipe import Smollm2Recipe
from experiments.stages import run_stages

RECIPE = Path(__file__).with_name("recipe.yaml")
WORK = Path("build", "smollm2")


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m experiments.smollm2", description=__doc__)
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train", help="sample, verify, train; an interrupted run goes on where it stopped")
    train.set_defaults(run=_train)
    train.add_argument("--recipe", type=Path, default=RECIPE, help="YAML file; smollm2_recipe.py explains it")
    train.add_argument("--work", type=Path, default=WORK, help="folder of all that is made")
    train.add_argument("overrides", nargs="*", metavar="key=value", help="replaces a value of the recipe")
    add_evaluate(commands)
    options = parser.parse_args()
    options.run(options)


def _train(options: argparse.Namespace) -> None:
    recipe = load_config(Smollm2Recipe, options.recipe, options.overrides)
    require_folder(recipe.base, "base")
    root = RunFolder.open(options.work, recipe, seed=recipe.seed, trackers=()).path.resolve()
    run_stages(plan_stages(recipe, root), root, workers=WORKERS)


if __name__ == "__main__":
    main()
