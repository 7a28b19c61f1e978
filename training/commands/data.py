"""`selfjudge-train data`: what a model is trained on, looked at, measured and made, one file each."""

import argparse

from training.commands import data_generate, data_preview, data_stats

NAME = "data"
HELP = "look at training data, measure it, or generate some"
DESCRIPTION = "Look at the JSFT set of a recipe, measure it, or generate preference data. Each has its own --help."
COMMANDS = (data_preview, data_stats, data_generate)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands below this one."""
    commands = parser.add_subparsers(dest="action", required=True)
    for command in COMMANDS:
        own = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.DESCRIPTION,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        command.add_arguments(own)
        own.set_defaults(act=command.run)


def run(options: argparse.Namespace) -> int:
    """Runs the one that was named."""
    return int(options.act(options))
