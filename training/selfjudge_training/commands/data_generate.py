"""`selfjudge-train data generate`: preference data about instructions that a program can check."""

import argparse
from pathlib import Path

from selfjudge.shipped import SHIPPED_MODEL
from selfjudge_training.commands.arguments import positive

NAME = "generate"
HELP = "write preference data about instructions that a program can check"
DESCRIPTION = (
    "Write a .jsonl or .jsonl.gz file of checkable instructions with four responses each, sampled from a model, rated "
    "and explained by programs under the principles of table 14: as UltraFeedback's rows, or as the pairs that follow "
    "from them in Anthropic HH's or TRL's form."
)


def share(text: str) -> float:
    """A number from 0 to 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, not {number}")
    return number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("output", type=Path, help="file to write; its name ends in .jsonl or .jsonl.gz")
    parser.add_argument(
        "--format", choices=("hh", "ultrafeedback", "preferences"), default="ultrafeedback", help="form of the rows"
    )
    parser.add_argument("--rows", type=positive, default=2000, help="rows, each about another instruction")
    parser.add_argument("--split", choices=("train", "held-out"), default="train", help="side of the tasks' split")
    parser.add_argument("--seed", type=int, default=0, help="decides instructions, responses and pairs")
    parser.add_argument("--hedged", type=share, default=0.05, help="share of responses that say 'I guess' or the like")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="model that responds")
    source.add_argument("--edits", action="store_true", help="edit right answers instead of sampling: quick, unreal")


def run(options: argparse.Namespace) -> int:
    """Writes them."""
    from tqdm import tqdm  # noqa: PLC0415

    from selfjudge_training.data.checkable.responses import edited_responses, sampled_responses  # noqa: PLC0415
    from selfjudge_training.data.checkable.rows import checkable_rows, write_rows  # noqa: PLC0415
    from selfjudge_training.tasks.split import Split  # noqa: PLC0415

    rows = checkable_rows(
        options.format,
        options.rows,
        seed=options.seed,
        split=Split(options.split),
        responder=edited_responses if options.edits else sampled_responses(options.model),
        hedged=options.hedged,
    )
    write_rows(tqdm(rows, "rows", options.rows, leave=False, disable=None), options.output)
    print(f"wrote {options.rows:,} rows to {options.output}")
    return 0
