"""`selfjudge-train paper`: the paper's comparisons in miniature."""

import argparse
from pathlib import Path

from selfjudge_training.commands.arguments import positive
from selfjudge_training.commands.run_arguments import add_config_arguments

NAME = "paper"
HELP = "train the paper's comparisons in miniature, and report on its claims"
DESCRIPTION = (
    "Pre-train a small base, make preference data, train judges (tables 2 and 5), self-training and its arms "
    "(table 4), iterations (figure 5) and self-rejection (figure 4), measure all on held-out instructions that a "
    "program can check, and write paper.md, paper.json and plots. An interrupted run goes on where it stopped."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_config_arguments(parser, config="paper", output=Path("docs", "results"), holds="report")
    parser.add_argument("--work", type=Path, default=Path("build", "paper"), help="folder of models and measurements")
    parser.add_argument("--workers", type=positive, default=2, help="stages at a time, each on a core of its own")


def run(options: argparse.Namespace) -> int:
    """Trains, measures and reports."""
    from selfjudge_training.paper.recipe import PaperRecipe  # noqa: PLC0415
    from selfjudge_training.paper.run import run_paper  # noqa: PLC0415
    from selfjudge_training.run.config import load_config, recipe_path  # noqa: PLC0415

    recipe = load_config(PaperRecipe, recipe_path(options.config), options.overrides)
    for path in run_paper(recipe, options.work, options.output, options.workers):
        print(f"wrote {path}")
    return 0
