"""The command `selfjudge-train`: collects the commands in `commands`, parses, and reports errors."""

import argparse
import sys
from collections.abc import Sequence

from selfjudge import SelfJudgeError
from selfjudge_training.commands.data_sets import add_data
from selfjudge_training.commands.evaluate import add_evaluate
from selfjudge_training.commands.publishing import add_publish
from selfjudge_training.commands.train import add_jsft, add_self_train


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0, or 2 where an input was wrong."""
    parser = argparse.ArgumentParser(
        "selfjudge-train", description="Make, train and evaluate models that answer and judge."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (add_jsft, add_self_train, add_publish, add_evaluate, add_data):
        add(commands)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, FileNotFoundError, SelfJudgeError) as error:
        print(f"selfjudge-train {options.command}: {error}", file=sys.stderr)
        return 2
    return 0
