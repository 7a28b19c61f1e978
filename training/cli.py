"""The command ``selfjudge-train``: make the model that ships, and measure it.

Only parses arguments and reports errors; the work is in ``build`` and ``evaluate``.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

RECIPE = "selfjudge-tiny"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0, or 2 where an input was wrong."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, FileNotFoundError) as error:
        print(f"selfjudge-train {options.command}: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="selfjudge-train", description="Train and evaluate judge models.")
    commands = parser.add_subparsers(dest="command", required=True)
    defaults = argparse.ArgumentDefaultsHelpFormatter

    model = commands.add_parser(
        "model",
        formatter_class=defaults,
        help="train the shipped model from nothing",
        description="Run a whole recipe: tokenizer, pre-training, sampling of preference pairs, JSFT with mining of "
        "hard pairs. An interrupted run goes on at the stage where it stopped.",
    )
    model.add_argument("--recipe", type=Path, default=_own_recipe(), help="YAML file with every number of the recipe")
    model.add_argument("--work", type=Path, default=Path("build", RECIPE), help="directory for what is made on the way")
    model.add_argument("--output", type=Path, default=Path("models", RECIPE), help="directory for the finished model")
    model.add_argument("--workers", type=_positive, default=2, help="processes, each on a core of its own")
    model.set_defaults(run=_model)

    evaluate = commands.add_parser(
        "evaluate",
        formatter_class=defaults,
        help="measure a model against truth on held-out prompts",
        description="Measure exact match over N for the tournament, majority vote and the best of N, and the judge's "
        "accuracy, position consistency and resistance; write a JSON file and a plot.",
    )
    evaluate.add_argument("--model", type=Path, default=Path("models", RECIPE), help="model directory")
    evaluate.add_argument("--output", type=Path, default=Path("docs", "results"), help="directory for the results")
    evaluate.add_argument("--prompts", type=_positive, default=600, help="held-out prompts, spread over all tasks")
    evaluate.add_argument("--seed", type=int, default=0, help="decides prompts, samples and brackets")
    evaluate.add_argument("--workers", type=_positive, default=2, help="processes, each on a core of its own")
    evaluate.set_defaults(run=_evaluate)
    return parser


def _own_recipe() -> Path:
    return Path(str(files("training").joinpath("recipes", f"{RECIPE}.yaml")))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


def _model(options: argparse.Namespace) -> int:
    # Imported here, as PyTorch would make `--help` and mistyped commands slow.
    from training.tiny.build import Build  # noqa: PLC0415
    from training.tiny.recipe import load_recipe  # noqa: PLC0415

    Build(load_recipe(options.recipe), options.work, options.workers).run(options.output)
    print(f"wrote {options.output}; measure it with 'selfjudge-train evaluate --model {options.output}'")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from training.tiny.evaluate import evaluate  # noqa: PLC0415  # as above
    from training.tiny.evaluation_files import write_results  # noqa: PLC0415

    results = evaluate(options.model, options.prompts, options.seed, options.workers)
    for path in write_results(results, options.output):
        print(f"wrote {path}")
    return 0
