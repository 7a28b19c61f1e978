"""`selfjudge-train evaluate`: the commands that measure a model, one file each."""

import argparse

from selfjudge_training.commands import evaluate_judge, evaluate_policy
from selfjudge_training.commands.subcommands import add_commands, run_command

NAME = "evaluate"
HELP = "measure a model as a judge or as a policy"
DESCRIPTION = "Measure a model, with 95% intervals and plots. Each has its own --help."
COMMANDS = (evaluate_judge, evaluate_policy)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands below this one."""
    add_commands(parser, COMMANDS, "evaluation")


def run(options: argparse.Namespace) -> int:
    """Runs the one that was named."""
    return run_command(options, "evaluation")
