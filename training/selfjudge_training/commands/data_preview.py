"""`selfjudge-train data preview`: examples as the model will read them."""

import argparse
import sys

from selfjudge_training.commands import data_set
from selfjudge_training.commands.arguments import positive

NAME = "preview"
HELP = "show examples as the model reads them, targets of the loss marked"
DESCRIPTION = (
    "Show a few dialogues and judgments (each pair in both orders) drawn from the JSFT set of a recipe, as they are "
    "after tokenizing and cutting. Targets of the loss are green, or between brackets where there are no colours (in "
    "files and pipes, and with NO_COLOR set)."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--count", type=positive, default=2, help="dialogues and pairs to show, so many of each")
    parser.add_argument("--seed", type=int, default=0, help="draws them")
    data_set.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Prints them."""
    import random  # noqa: PLC0415

    from selfjudge_training.data.jsft import each_example  # noqa: PLC0415
    from selfjudge_training.data.preview import rendered, wants_colours  # noqa: PLC0415

    config, chat, template, demonstrations, pairs = data_set.load(options)
    rng = random.Random(options.seed)
    made = each_example(
        chat,
        template,
        rng.sample(demonstrations, min(options.count, len(demonstrations))),
        rng.sample(pairs, min(options.count, len(pairs))),
        max_tokens=config.data.max_length,
        system=config.data.system,
        quiet=True,
    )
    for example in made:
        print(rendered(chat, example, colours=wants_colours(sys.stdout)), end="\n\n")
    return 0
