"""`selfjudge-train data`: what a model is trained on, looked at and measured, or made of a server's logs."""
# ruff: noqa: PLC0415

import argparse
import random
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from selfjudge_training.commands.registry import Command, group, positive

if TYPE_CHECKING:
    from selfjudge import Chat, JudgmentTemplate
    from selfjudge_training.data.records import Demonstration, PreferencePair
    from selfjudge_training.jsft.jsft_config import JsftConfig

_PREVIEW = (
    "Show a few dialogues and judgments (each pair in both orders) drawn from the JSFT set of a recipe, as they are "
    "after tokenizing and cutting. Targets of the loss are green, or between brackets where there are no colours (in "
    "files and pipes, and with NO_COLOR set)."
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


class _Loaded(NamedTuple):
    """The sources that a recipe of `selfjudge-train jsft` names, and all that is needed to make tokens of them."""

    config: "JsftConfig"
    chat: "Chat"
    template: "JudgmentTemplate"
    demonstrations: "list[Demonstration]"
    pairs: "list[PreferencePair]"


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


def _add_preview_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=positive, default=2, help="dialogues and pairs to show, so many of each")
    parser.add_argument("--seed", type=int, default=0, help="draws them")
    _add_set_arguments(parser)


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


def _margin(text: str) -> float:
    number = float(text)
    if not 0 <= number < 0.5:
        raise argparse.ArgumentTypeError(f"must be from 0 to below 0.5, not {number}")
    return number


def _load(options: argparse.Namespace) -> _Loaded:
    """Read the sources, with an account on stderr. Raises ConfigError, and DataError, also where all are empty."""
    from selfjudge import load_templates
    from selfjudge_training.data.examples.shown import load_chat, require_dialogue
    from selfjudge_training.data.load import load_demonstrations, load_pairs
    from selfjudge_training.data.source import DataError
    from selfjudge_training.jsft.jsft_config import JsftConfig
    from selfjudge_training.run.config import ConfigError, load_config, recipe_path
    from selfjudge_training.run.named_model import require_model

    config = load_config(JsftConfig, recipe_path(options.config), options.overrides)
    named = ("--tokenizer", options.tokenizer) if options.tokenizer else ("start.path", config.start.path)
    require_model(named[1], named[0], "tokenizer_config.json")
    data, strict = config.data, options.strict or config.data.strict
    templates = load_templates(data.templates)
    if data.template not in templates:
        raise ConfigError(f"data.template is {data.template!r}; there are {', '.join(sorted(templates))}")
    template = templates[data.template]
    chat = load_chat(named[1])
    learnable = partial(require_dialogue, chat, system=data.system)
    demonstrations = load_demonstrations(data.demonstrations, strict=strict, fit=learnable)
    pairs = load_pairs(data.pairs, template, seed=config.seed, strict=strict)
    print(*demonstrations.account("demonstrations"), *pairs.account("pairs"), sep="\n", file=sys.stderr)
    if not demonstrations.records and not pairs.records:
        raise DataError("the sources give no demonstration and no pair; the account above says why")
    return _Loaded(config, chat, template, demonstrations.records, pairs.records)


def _preview(options: argparse.Namespace) -> None:
    from selfjudge_training.data.examples.jsft_set import each_example
    from selfjudge_training.data.examples.preview import rendered, wants_colours

    config, chat, template, demonstrations, pairs = _load(options)
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


def _stats(options: argparse.Namespace) -> None:
    from selfjudge_training.data.examples.jsft_set import each_example
    from selfjudge_training.data.examples.stats import table

    config, chat, template, demonstrations, pairs = _load(options)
    longest = config.data.max_length
    made = each_example(chat, template, demonstrations, pairs, max_tokens=longest, system=config.data.system)
    print(*table(made, len(demonstrations), pairs, longest), sep="\n")


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


DATA = group(
    "data",
    "look at training data, measure it, or make it of a server's logs",
    "Look at the JSFT set of a recipe, measure it, or make preference data of a server's bracket logs. Each has its "
    "own --help.",
    (
        Command(
            "preview",
            "show examples as the model reads them, targets of the loss marked",
            _PREVIEW,
            _add_preview_arguments,
            _preview,
        ),
        Command(
            "stats",
            "count and measure: lengths in tokens, truncations, position balance",
            _STATS,
            _add_set_arguments,
            _stats,
        ),
        Command(
            "from-brackets",
            "make preference pairs of the tournaments that a server has logged",
            _FROM_BRACKETS,
            _add_bracket_arguments,
            _from_brackets,
        ),
    ),
)
