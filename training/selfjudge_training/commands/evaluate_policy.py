"""`selfjudge-train evaluate policy`: a policy's answers, alone, against a baseline, and by self-rejection."""

import argparse

from selfjudge_training.commands.run_arguments import add_evaluation_arguments

NAME = "policy"
HELP = "measure a policy's answers: exact match, win rate, self-rejection over N"
DESCRIPTION = (
    "Have questions answered and measure the answers. Questions: held-out instructions that a program can check, or a "
    "file of AlpacaEval, VicunaEval or MT-Bench (questions=FILE judge.kind=... judge.at=...). Win rate: against "
    "outputs in AlpacaEval's format (baseline=FILE). Self-rejection: for each N in sweep.sizes; sweep=null leaves it "
    "out. Writes report.json, report.html, and outputs in AlpacaEval's format."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_evaluation_arguments(parser, NAME)


def run(options: argparse.Namespace) -> int:
    """Measures it."""
    from selfjudge_training.evaluation.evaluation_config import PolicyConfig  # noqa: PLC0415
    from selfjudge_training.evaluation.policy.policy_stage import run_policy_evaluation  # noqa: PLC0415
    from selfjudge_training.run.config import load_config, recipe_path  # noqa: PLC0415

    config = load_config(PolicyConfig, recipe_path(options.config), options.overrides)
    for path in run_policy_evaluation(config, options.output):
        print(f"wrote {path}")
    return 0
