"""`selfjudge-train evaluate`: a judge on preference pairs, a policy's answers."""
# ruff: noqa: PLC0415

import argparse
from functools import partial
from pathlib import Path

from selfjudge_training.commands.registry import Command, add_config_arguments, group

_JUDGE = (
    "Measure accuracy, position consistency, flip rate and calibration, by category, on LLMBar (llmbar=FOLDER), "
    "preference files (pairs='[{format: preferences, path: FILE}]') and right answers against sampled wrong ones. "
    "The judge is a model folder (judge.at=FOLDER), a selfjudge server (judge.kind=server "
    "judge.at=http://HOST:PORT/v1) or any OpenAI-compatible endpoint (judge.kind=chat judge.at=URL judge.model=NAME). "
    "Writes report.json and report.html."
)
_POLICY = (
    "Have questions answered and measure the answers. Questions: a file of AlpacaEval, VicunaEval or MT-Bench, or rows "
    "of yours with an answer each (questions=FILE judge.kind=... judge.at=...). Win rate: against "
    "outputs in AlpacaEval's format (baseline=FILE). Self-rejection: for each N in sweep.sizes; sweep=null leaves it "
    "out. Writes report.json, report.html, and outputs in AlpacaEval's format."
)


def _add_arguments(parser: argparse.ArgumentParser, of: str) -> None:
    add_config_arguments(parser, config=f"evaluate-{of}", output=Path("build", "evaluation", of), holds="report")


def _judge(options: argparse.Namespace) -> None:
    from selfjudge_training.evaluation.evaluation_config import JudgeConfig
    from selfjudge_training.evaluation.judge.judge_stage import run_judge_evaluation
    from selfjudge_training.run.config import load_config, recipe_path

    config = load_config(JudgeConfig, recipe_path(options.config), options.overrides)
    for path in run_judge_evaluation(config, options.output):
        print(f"wrote {path}")


def _policy(options: argparse.Namespace) -> None:
    from selfjudge_training.evaluation.evaluation_config import PolicyConfig
    from selfjudge_training.evaluation.policy.policy_stage import run_policy_evaluation
    from selfjudge_training.run.config import load_config, recipe_path

    config = load_config(PolicyConfig, recipe_path(options.config), options.overrides)
    for path in run_policy_evaluation(config, options.output):
        print(f"wrote {path}")


EVALUATE = group(
    "evaluate",
    "measure a model: as a judge, as a policy",
    "Measure a model, with 95% intervals and plots. Each has its own --help.",
    (
        Command("judge", "measure a judge on preference pairs", _JUDGE, partial(_add_arguments, of="judge"), _judge),
        Command(
            "policy",
            "measure a policy's answers: exact match, win rate, self-rejection over N",
            _POLICY,
            partial(_add_arguments, of="policy"),
            _policy,
        ),
    ),
)
