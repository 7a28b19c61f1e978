"""`selfjudge-train evaluate judge`: a judge on preference pairs."""

import argparse

from selfjudge_training.commands.run_arguments import add_evaluation_arguments

NAME = "judge"
HELP = "measure a judge on preference pairs"
DESCRIPTION = (
    "Measure accuracy, position consistency, flip rate and calibration, by category, on LLMBar (llmbar=FOLDER), "
    "preference files (pairs='[{format: preferences, path: FILE}]') and held-out instructions that a program can "
    "check. The judge is a model folder (judge.at=FOLDER), a selfjudge server (judge.kind=server "
    "judge.at=http://HOST:PORT/v1) or any OpenAI-compatible endpoint (judge.kind=chat judge.at=URL judge.model=NAME). "
    "Writes report.json and report.html."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_evaluation_arguments(parser, NAME)


def run(options: argparse.Namespace) -> int:
    """Measures it."""
    from selfjudge_training.evaluation.evaluation_config import JudgeConfig  # noqa: PLC0415
    from selfjudge_training.evaluation.judge.judge_stage import run_judge_evaluation  # noqa: PLC0415
    from selfjudge_training.run.config import load_config, recipe_path  # noqa: PLC0415

    config = load_config(JudgeConfig, recipe_path(options.config), options.overrides)
    for path in run_judge_evaluation(config, options.output):
        print(f"wrote {path}")
    return 0
