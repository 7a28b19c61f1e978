"""The command line: `python -m experiments.paper`."""

import argparse
from pathlib import Path

from selfjudge_training.run.config import load_config
from selfjudge_training.run.folder import RunFolder

from experiments.paper.plan import plan_stages
from experiments.paper.recipe import PaperRecipe
from experiments.paper.report import write_report
from experiments.stages import run_stages

RECIPE = Path(__file__).with_name("recipe.yaml")


def main() -> None:
    """Run what is not done in the working folder, and write the report from whatever was measured there."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.paper",
        description="Pre-train a small base, make preference data, train judges (tables 2 and 5), arms of self-training"
        " (table 4), its iterations (figure 5) and self-rejection (figure 4), measure on held-out instructions, and "
        "write paper.md, paper.json and plots. An interrupted run goes on where it stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="YAML file; recipe.py explains it")
    parser.add_argument("--work", type=Path, default=Path("build", "paper"), help="folder of models and measurements")
    parser.add_argument("--output", type=Path, default=Path("docs", "results"), help="folder of the report")
    parser.add_argument("--workers", type=int, default=2, help="stages at a time, each on a core of its own")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="replaces a value of the recipe")
    options = parser.parse_args()
    recipe = load_config(PaperRecipe, options.recipe, options.overrides)
    root = RunFolder.open(options.work, recipe, seed=recipe.seed).path.resolve()
    run_stages(plan_stages(recipe, root), root, options.workers)
    for path in write_report(recipe, root, options.output):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
