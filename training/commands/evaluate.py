"""`selfjudge-train evaluate`: the commands that measure a model, one file each."""

import argparse

from training.commands import evaluate_judge, evaluate_policy, evaluate_truth

NAME = "evaluate"
HELP = "measure a model: against truth, as a judge, as a policy"
DESCRIPTION = "Measure a model, with 95% intervals and plots. Each has its own --help."
COMMANDS = (evaluate_truth, evaluate_judge, evaluate_policy)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands below this one."""
    commands = parser.add_subparsers(dest="evaluation", required=True)
    for command in COMMANDS:
        own = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.DESCRIPTION,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        command.add_arguments(own)
        own.set_defaults(measure=command.run)


def run(options: argparse.Namespace) -> int:
    """Runs the one that was named."""
    return int(options.measure(options))
