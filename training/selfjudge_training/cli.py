"""The command `selfjudge-train`: collects the commands in `commands`, parses, and reports errors."""

import argparse
import sys
from collections.abc import Sequence

from selfjudge import SelfJudgeError
from selfjudge_training.commands.data_sets import DATA
from selfjudge_training.commands.evaluate import EVALUATE
from selfjudge_training.commands.publishing import PUBLISH
from selfjudge_training.commands.registry import add_commands
from selfjudge_training.commands.train import JSFT, SELF_TRAIN

COMMANDS = (JSFT, SELF_TRAIN, PUBLISH, EVALUATE, DATA)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0, or 2 where an input was wrong."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, FileNotFoundError, SelfJudgeError) as error:
        print(f"selfjudge-train {options.command}: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="selfjudge-train", description="Make, train and evaluate models that answer and judge."
    )
    add_commands(parser, COMMANDS, "command")
    return parser
