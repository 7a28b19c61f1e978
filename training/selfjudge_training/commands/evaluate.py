"""`selfjudge-train evaluate`: a judge on preference pairs, a policy's answers."""
# ruff: noqa: PLC0415

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from selfjudge_training.commands.registry import Commands, add_command, add_config_arguments
from selfjudge_training.run.config import Kind, load_config

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


def add_evaluate(commands: Commands) -> None:
    """`evaluate judge` and `evaluate policy`."""
    kinds = commands.add_parser(
        "evaluate",
        help="measure a model: as a judge, as a policy",
        description="Measure a model, with 95% intervals and plots. Each has its own --help.",
    ).add_subparsers(dest="action", required=True)
    policy_summary = "measure a policy's answers: exact match, win rate, self-rejection over N"
    judge = add_command(kinds, "judge", "measure a judge on preference pairs", _JUDGE, _judge)
    policy = add_command(kinds, "policy", policy_summary, _POLICY, _policy)
    for name, parser in (("judge", judge), ("policy", policy)):
        output = Path("build", "evaluation", name)
        add_config_arguments(parser, config=f"evaluate-{name}", output=output, holds="report")


def _judge(options: argparse.Namespace) -> None:
    from selfjudge_training.evaluation.evaluation_config import JudgeConfig
    from selfjudge_training.evaluation.judge.judge_stage import run_judge_evaluation

    _evaluate(options, JudgeConfig, run_judge_evaluation)


def _policy(options: argparse.Namespace) -> None:
    from selfjudge_training.evaluation.evaluation_config import PolicyConfig
    from selfjudge_training.evaluation.policy.policy_stage import run_policy_evaluation

    _evaluate(options, PolicyConfig, run_policy_evaluation)


def _evaluate(options: argparse.Namespace, kind: type[Kind], run: Callable[[Kind, Path], Iterable[Path]]) -> None:
    for path in run(load_config(kind, options.config, options.overrides), options.output):
        print(f"wrote {path}")
