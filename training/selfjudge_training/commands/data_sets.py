"""`selfjudge-train data`: what a model is trained on, looked at and measured, or made of a server's logs."""
# ruff: noqa: PLC0415

import argparse
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from selfjudge_training.commands.registry import Commands, add_command
from selfjudge_training.run.config import load_config

if TYPE_CHECKING:
    from selfjudge import Chat
    from selfjudge_training.jsft.examples import Sources
    from selfjudge_training.jsft.jsft_config import JsftConfig

_PREVIEW = (
    "Show a few dialogues, judgments (each pair in both orders) and scores drawn from the JSFT set of a recipe, as "
    "they are after tokenizing and cutting. Targets of the loss are green, or between brackets where there are no "
    "colours (in files and pipes, and with NO_COLOR set)."
)
_STATS = (
    "Make the JSFT set of a recipe and print counts, lengths in tokens, loss-bearing tokens, truncations, the balance "
    "of positions, and how often the chosen response is simply the longer one."
)
_FROM_BRACKETS = (
    "Read the bracket logs of selfjudge-serve (--bracket-log) and write preference rows, which any stage takes as "
    "format 'preferences': of each match that was judged, the winner is chosen and the loser rejected. What gives no "
    "pair is counted by reason, malformed lines are shown."
)


def add_data(commands: Commands) -> None:
    """`data preview`, `data stats` and `data from-brackets`."""
    kinds = commands.add_parser(
        "data",
        help="look at training data, measure it, or make it of a server's logs",
        description="Look at the JSFT set of a recipe, measure it, or make preference data of a server's bracket logs. "
        "Each has its own --help.",
    ).add_subparsers(dest="action", required=True)
    summary = "show examples as the model reads them, targets of the loss marked"
    preview = add_command(kinds, "preview", summary, _PREVIEW, _preview)
    preview.add_argument(
        "--count", type=_positive, default=2, help="dialogues, pairs and scores to show, so many of each"
    )
    preview.add_argument("--seed", type=int, default=0, help="draws them")
    _add_set_arguments(preview)
    summary = "count and measure: lengths in tokens, truncations, position balance"
    _add_set_arguments(add_command(kinds, "stats", summary, _STATS, _stats))
    summary = "make preference pairs of the tournaments that a server has logged"
    _add_bracket_arguments(add_command(kinds, "from-brackets", summary, _FROM_BRACKETS, _from_brackets))


def _add_set_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", default="jsft-tiny", help="recipe of 'jsft': YAML file, or the name of one shipped")
    parser.add_argument("--tokenizer", help="tokenizer folder or name, if not that of the recipe's start.path")
    parser.add_argument("--strict", action="store_true", help="stop at the first malformed row")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="replaces a value of the recipe, such as data.pairs='[{format: preferences, path: FILE}]'",
    )


def _add_bracket_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("logs", nargs="+", type=Path, metavar="LOG", help="a log's folder, or files of it; .gz too")
    parser.add_argument(
        "--output", type=Path, required=True, help="file to write; its name ends in .jsonl or .jsonl.gz"
    )
    parser.add_argument(
        "--least-margin",
        type=_margin,
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


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


def _margin(text: str) -> float:
    number = float(text)
    if not 0 <= number < 0.5:
        raise argparse.ArgumentTypeError(f"must be from 0 to below 0.5, not {number}")
    return number


def _load(options: argparse.Namespace) -> "tuple[JsftConfig, Chat, Sources]":
    """Read the sources, with an account on stderr. Raises ConfigError, and DataError, also where all are empty."""
    from selfjudge_training.data.examples.shown import load_chat
    from selfjudge_training.data.source import DataError
    from selfjudge_training.jsft.examples import load_sources
    from selfjudge_training.jsft.jsft_config import JsftConfig
    from selfjudge_training.run.named_model import require_model

    strict = ["data.strict=true"] if options.strict else []
    config = load_config(JsftConfig, options.config, [*options.overrides, *strict])
    key, name = ("--tokenizer", options.tokenizer) if options.tokenizer else ("start.path", config.start.path)
    require_model(name, key, "tokenizer_config.json")
    chat = load_chat(name)
    sources = load_sources(config.data, chat, config.seed)
    print(sources.account, file=sys.stderr)
    if not sources.examples:
        raise DataError("the sources give no demonstration, pair or score; the account above says why")
    return config, chat, sources


def _preview(options: argparse.Namespace) -> None:
    from selfjudge_training.data.examples.preview import rendered, wants_colours

    _, chat, sources = _load(options)
    rng, count = random.Random(options.seed), options.count
    kinds = (sources.demonstrations.records, sources.pairs.records, sources.scored.records)
    few = [rng.sample(each, min(count, len(each))) for each in kinds]
    for example in sources.encode(*few, quiet=True):
        print(rendered(chat, example, colours=wants_colours(sys.stdout)), end="\n\n")


def _stats(options: argparse.Namespace) -> None:
    from selfjudge_training.data.examples.stats import table

    config, _, sources = _load(options)
    demonstrations, pairs = sources.demonstrations.records, sources.pairs.records
    made = sources.encode(demonstrations, pairs, sources.scored.records)
    print(*table(made, len(demonstrations), pairs, config.data.max_length, sources.in_place), sep="\n")


def _from_brackets(options: argparse.Namespace) -> None:
    from selfjudge_training.data.brackets import load_brackets
    from selfjudge_training.data.rows import write_lines
    from selfjudge_training.data.source import DataError

    loaded = load_brackets(
        options.logs,
        least_margin=options.least_margin,
        consistent_only=options.consistent_only,
        models=options.model,
        strict=options.strict,
    )
    print(*loaded.account("pairs"), sep="\n", file=sys.stderr)
    if not loaded.records:
        raise DataError("the logs give no pair; the account above says why")
    write_lines(loaded.records, options.output)
    print(f"wrote {len(loaded.records):,} rows to {options.output}")
