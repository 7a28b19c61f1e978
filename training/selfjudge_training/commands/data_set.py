"""What `data preview` and `data stats` share: the sources that a recipe of `selfjudge-train jsft` names, loaded."""

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from selfjudge import Chat, JudgmentTemplate
    from selfjudge_training.data.records import Demonstration, PreferencePair
    from selfjudge_training.jsft.config import JsftConfig


class DataSet(NamedTuple):
    """Records, and all that is needed to make tokens of them."""

    config: "JsftConfig"
    chat: "Chat"
    template: "JudgmentTemplate"
    demonstrations: "list[Demonstration]"
    pairs: "list[PreferencePair]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that say which data set."""
    parser.add_argument("--config", default="jsft-tiny", help="recipe of 'jsft': YAML file, or the name of one shipped")
    parser.add_argument("--tokenizer", help="tokenizer folder or name, if not that of the recipe's start.path")
    parser.add_argument("--strict", action="store_true", help="stop at the first malformed row")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="replaces a value of the recipe, such as data.pairs='[{format: preferences, path: FILE}]'",
    )


def load(options: argparse.Namespace) -> DataSet:
    """Read the sources, with an account on stderr. Raises ConfigError, and DataError, also where all are empty."""
    from selfjudge import load_templates  # noqa: PLC0415
    from selfjudge_training.data.chat import load_chat  # noqa: PLC0415
    from selfjudge_training.data.load import load_demonstrations, load_pairs  # noqa: PLC0415
    from selfjudge_training.data.shown import require_dialogue  # noqa: PLC0415
    from selfjudge_training.data.source import DataError  # noqa: PLC0415
    from selfjudge_training.jsft.config import JsftConfig  # noqa: PLC0415
    from selfjudge_training.run.config import ConfigError, load_config, recipe_path  # noqa: PLC0415
    from selfjudge_training.run.named_model import require_model  # noqa: PLC0415

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
    return DataSet(config, chat, template, demonstrations.records, pairs.records)
