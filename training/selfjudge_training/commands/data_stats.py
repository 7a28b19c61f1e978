"""`selfjudge-train data stats`: figures about a JSFT set."""

import argparse

from selfjudge_training.commands import data_set

NAME = "stats"
HELP = "count and measure: lengths in tokens, truncations, position balance"
DESCRIPTION = (
    "Make the JSFT set of a recipe and print counts, lengths in tokens, loss-bearing tokens, truncations, the balance "
    "of positions, and how often the chosen response is simply the longer one."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    data_set.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Prints them."""
    from selfjudge_training.data.jsft import each_example  # noqa: PLC0415
    from selfjudge_training.data.stats import measure, table  # noqa: PLC0415

    config, chat, template, demonstrations, pairs = data_set.load(options)
    longest = config.data.max_length
    made = each_example(chat, template, demonstrations, pairs, max_tokens=longest, system=config.data.system)
    print(*table(measure(made, len(demonstrations), pairs), longest), sep="\n")
    return 0
