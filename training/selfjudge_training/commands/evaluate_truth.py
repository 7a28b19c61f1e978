"""`selfjudge-train evaluate truth`: a model against truth, on held-out instructions that a program can check."""

import argparse
from pathlib import Path

from selfjudge.shipped import SHIPPED_MODEL
from selfjudge_training.commands.arguments import positive

NAME = "truth"
HELP = "measure a model against truth on held-out prompts"
DESCRIPTION = (
    "Measure exact match over N for the tournament, majority vote and the best of N, and the judge's accuracy, "
    "position consistency and resistance; write a JSON file and a plot."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="model directory")
    parser.add_argument("--output", type=Path, default=Path("docs", "results"), help="directory for the results")
    parser.add_argument("--prompts", type=positive, default=600, help="held-out prompts, spread over all tasks")
    parser.add_argument("--seed", type=int, default=0, help="decides prompts, samples and brackets")
    parser.add_argument("--workers", type=positive, default=2, help="processes, each on a core of its own")


def run(options: argparse.Namespace) -> int:
    """Measures it."""
    from selfjudge_training.tiny.evaluate import evaluate  # noqa: PLC0415
    from selfjudge_training.tiny.evaluation_files import write_results  # noqa: PLC0415

    results = evaluate(options.model, options.prompts, options.seed, options.workers)
    for path in write_results(results, options.output):
        print(f"wrote {path}")
    return 0
