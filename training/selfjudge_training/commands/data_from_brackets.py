"""`selfjudge-train data from-brackets`: preference pairs from the tournaments that a server has logged."""

import argparse
import sys
from pathlib import Path

NAME = "from-brackets"
HELP = "make preference pairs of the tournaments that a server has logged"
DESCRIPTION = (
    "Read the bracket logs of selfjudge-serve (--bracket-log) and write preference rows, which any stage takes as "
    "format 'preferences': of each match that was judged, the winner is chosen and the loser rejected. What gives no "
    "pair is counted by reason, malformed lines are shown."
)


def margin(text: str) -> float:
    """A number from 0 to below 0.5."""
    number = float(text)
    if not 0 <= number < 0.5:
        raise argparse.ArgumentTypeError(f"must be from 0 to below 0.5, not {number}")
    return number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("logs", nargs="+", type=Path, metavar="LOG", help="a log's folder, or files of it; .gz too")
    parser.add_argument(
        "--output", type=Path, required=True, help="file to write; its name ends in .jsonl or .jsonl.gz"
    )
    parser.add_argument(
        "--least-margin",
        type=margin,
        default=0.0,
        help="leave out pairs whose P(chosen is better) - 1/2, over both orders, is below it",
    )
    parser.add_argument(
        "--consistent-only", action="store_true", help="leave out pairs whose winner depends on the order"
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        help="take only what this model answered, or this policy in any version, or policy@version; may be repeated",
    )
    parser.add_argument("--strict", action="store_true", help="stop at the first malformed line")


def run(options: argparse.Namespace) -> int:
    """Writes them."""
    from selfjudge_training.data.brackets import Wanted, load_brackets  # noqa: PLC0415
    from selfjudge_training.data.log_files import write_lines  # noqa: PLC0415
    from selfjudge_training.data.source import DataError  # noqa: PLC0415

    wanted = Wanted(options.least_margin, options.consistent_only, tuple(options.model))
    loaded = load_brackets(options.logs, wanted, strict=options.strict)
    print(*loaded.account("pairs"), sep="\n", file=sys.stderr)
    if not loaded.records:
        raise DataError("the logs give no pair; the account above says why")
    write_lines((pair.row() for pair in loaded.records), options.output)
    print(f"wrote {len(loaded.records):,} rows to {options.output}")
    return 0
