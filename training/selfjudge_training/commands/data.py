"""`selfjudge-train data`: what a model is trained on, looked at, measured and made, one file each."""

import argparse

from selfjudge_training.commands import data_from_brackets, data_preview, data_stats
from selfjudge_training.commands.subcommands import add_commands, run_command

NAME = "data"
HELP = "look at training data, measure it, or make it of a server's logs"
DESCRIPTION = (
    "Look at the JSFT set of a recipe, measure it, or make it of a server's bracket logs. Each has its own --help."
)
COMMANDS = (data_preview, data_stats, data_from_brackets)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands below this one."""
    add_commands(parser, COMMANDS, "action")


def run(options: argparse.Namespace) -> int:
    """Runs the one that was named."""
    return run_command(options, "action")
