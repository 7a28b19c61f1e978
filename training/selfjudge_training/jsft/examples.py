"""The examples of a run: those of its data sets, encoded once and kept in its folder."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow.compute as pc  # type: ignore[import-untyped]  # it ships no py.typed
from datasets import Dataset, Features, List, Value  # type: ignore[import-untyped]  # likewise

from selfjudge import Chat
from selfjudge_training.data.examples.jsft_set import JsftExample, each_example
from selfjudge_training.data.examples.shown import require_dialogue
from selfjudge_training.data.load import Loaded, load_demonstrations, load_pairs
from selfjudge_training.data.records import Demonstration, PreferencePair
from selfjudge_training.data.source import DataError
from selfjudge_training.jsft.batches import Row
from selfjudge_training.jsft.jsft_config import Data, JsftConfig
from selfjudge_training.run.kept_rows import find_rows, make_rows, own_share
from selfjudge_training.run.named_model import find_template
from selfjudge_training.run.processes import processes

EXAMPLES = "examples"
"""Their folder within the run's."""

_FEATURES = Features(
    {
        "input_ids": List(Value("int32")),
        "loss_mask": List(Value("bool")),
        "judgment": Value("bool"),
        "replay": List(Value("int32")),
        "cut": Value("bool"),
    }
)


class Sources(NamedTuple):
    """What a JSFT set is made of."""

    demonstrations: Loaded[Demonstration]
    pairs: Loaded[PreferencePair]
    encode: Callable[..., Iterator[JsftExample]]
    """Of demonstrations and pairs; `each_example`, but for what the configuration says."""

    @property
    def account(self) -> str:
        """For people."""
        return "\n".join([*self.demonstrations.account("demonstrations"), *self.pairs.account("pairs")])


def load_sources(data: Data, chat: Chat, seed: int) -> Sources:
    """Raises ConfigError and DataError."""
    template = find_template(data.template, "data.template", data.templates)
    pairs = load_pairs(data.pairs, template, seed=seed, strict=data.strict)
    learnable = partial(require_dialogue, chat, system=data.system)
    demonstrations = load_demonstrations(data.demonstrations, strict=data.strict, fit=learnable)
    encode = partial(each_example, chat, template, max_tokens=data.max_length, system=data.system)
    return Sources(demonstrations, pairs, encode)


def kept_examples(data: Data, chat: Chat, seed: int, folder: Path, *, begun: bool) -> Dataset:
    """The JSFT set of a configuration, its rows `Row`s; to be called by all processes.

    Where the run has `begun`, what its folder holds is used as it is; otherwise it is made, with an account of it on
    stdout. Raises ConfigError and DataError.
    """
    found = find_rows(folder / EXAMPLES, begun=begun)
    if found is not None:
        return found
    sources, main = load_sources(data, chat, seed), processes().is_main_process
    if main:
        print(sources.account, flush=True)
    encode = partial(sources.encode, replay=data.replay > 0, quiet=not main)
    dialogues = map(as_row, encode(own_share(sources.demonstrations.records), []))
    judgments = map(as_row, encode([], own_share(sources.pairs.records)))
    made = make_rows(folder / EXAMPLES, _FEATURES, {"dialogues": dialogues, "judgments": judgments})
    if main:
        left_out = len(sources.demonstrations.records) - made["judgment"][:].count(False)
        print(f"{len(made):,} examples, {sum(made['cut'][:]):,} of them cut to {data.max_length:,} tokens", end="; ")
        print(f"{left_out:,} left out, as no target fits in", flush=True)
    return made


def lengths(examples: Dataset) -> list[int]:
    """Of each example, in tokens."""
    counted: list[int] = pc.list_value_length(examples.data.column("input_ids")).to_pylist()
    return counted


def as_row(example: JsftExample) -> Row:
    """As it is kept."""
    return Row(
        input_ids=example.input_ids,
        loss_mask=example.loss_mask,
        judgment=example.choice is not None,
        replay=list(example.replay),
        cut=example.cut,
    )


def held_out_examples(config: JsftConfig, chat: Chat) -> Dataset:
    """The judgments of a configuration's held-out pairs, in memory. Raises DataError."""
    held_out = config.data.model_copy(update={"demonstrations": (), "pairs": config.evaluation.pairs})
    sources = load_sources(held_out, chat, config.seed)
    rows = [as_row(example) for example in sources.encode([], sources.pairs.records, quiet=True)]
    if not rows:
        raise DataError("evaluation.pairs: the sources give no pair")
    return Dataset.from_list(rows, features=_FEATURES)
