"""The command `selfjudge-train`: collects the commands in `commands`, parses, and reports errors."""

import argparse
import sys
from collections.abc import Sequence

from selfjudge import SelfJudgeError
from selfjudge_training.commands import data, evaluate, jsft, publish, self_train
from selfjudge_training.commands.subcommands import add_commands, run_command

COMMANDS = (jsft, self_train, publish, evaluate, data)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0, or 2 where an input was wrong."""
    options = _parser().parse_args(arguments)
    try:
        return run_command(options, "command")
    except (ValueError, FileNotFoundError, SelfJudgeError) as error:
        print(f"selfjudge-train {options.command}: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="selfjudge-train", description="Make, train and evaluate models that answer and judge."
    )
    add_commands(parser, COMMANDS, "command")
    return parser
