"""The examples of a run: those of its data sets, encoded once and kept in its folder."""

from functools import partial
from pathlib import Path

import pyarrow.compute as pc  # type: ignore[import-untyped]  # it ships no py.typed
from datasets import Dataset, Features, List, Value  # type: ignore[import-untyped]  # likewise

from selfjudge import Chat, JudgmentTemplate, load_templates
from selfjudge_training.data.examples.jsft_set import JsftExample, each_example
from selfjudge_training.data.examples.shown import require_dialogue
from selfjudge_training.data.load import load_demonstrations, load_pairs
from selfjudge_training.data.source import DataError
from selfjudge_training.jsft.batches import Row
from selfjudge_training.jsft.jsft_config import Data, JsftConfig
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.kept_rows import find_rows, make_rows, own_share
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


def kept_examples(data: Data, chat: Chat, seed: int, folder: Path, *, begun: bool) -> Dataset:
    """The JSFT set of a configuration, its rows `Row`s; to be called by all processes.

    Where the run has `begun`, what its folder holds is used as it is; otherwise it is made, with an account of it on
    stdout. Raises ConfigError and DataError.
    """
    found = find_rows(folder / EXAMPLES, begun=begun)
    return _make(data, chat, seed, folder / EXAMPLES) if found is None else found


def lengths(examples: Dataset) -> list[int]:
    """Of each example, in tokens."""
    counted: list[int] = pc.list_value_length(examples.data.column("input_ids")).to_pylist()
    return counted


def judged(examples: Dataset) -> list[bool]:
    """Of each example, whether it is a judgment."""
    found: list[bool] = examples.data.column("judgment").to_pylist()
    return found


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
    template = _template(config.data)
    pairs = load_pairs(config.evaluation.pairs, template, seed=config.seed, strict=config.data.strict)
    made = each_example(chat, template, [], pairs.records, max_tokens=config.data.max_length, quiet=True)
    rows = [as_row(example) for example in made]
    if not rows:
        raise DataError("evaluation.pairs: the sources give no pair")
    return Dataset.from_list(rows, features=_FEATURES)


def _make(data: Data, chat: Chat, seed: int, folder: Path) -> Dataset:
    main, template = processes().is_main_process, _template(data)
    pairs = load_pairs(data.pairs, template, seed=seed, strict=data.strict)
    learnable = partial(require_dialogue, chat, system=data.system)
    demonstrations = load_demonstrations(data.demonstrations, strict=data.strict, fit=learnable)
    if main:
        print(*demonstrations.account("demonstrations"), *pairs.account("pairs"), sep="\n", flush=True)
    encoded = partial(
        each_example,
        chat,
        template,
        max_tokens=data.max_length,
        system=data.system,
        replay=data.replay > 0,
        quiet=not main,
    )
    dialogues, judgments = encoded(own_share(demonstrations.records), []), encoded([], own_share(pairs.records))
    made = make_rows(folder, _FEATURES, {"dialogues": map(as_row, dialogues), "judgments": map(as_row, judgments)})
    if main:
        cut = sum(made.data.column("cut").to_pylist())
        left_out = len(demonstrations.records) - made.data.column("judgment").to_pylist().count(False)
        print(f"{len(made):,} examples, {cut:,} of them cut to {data.max_length:,} tokens", end="; ")
        print(f"{left_out:,} left out, as no target fits in", flush=True)
    return made


def _template(data: Data) -> JudgmentTemplate:
    templates = load_templates(data.templates)
    if data.template not in templates:
        raise ConfigError(f"data.template is {data.template!r}; there are {', '.join(sorted(templates))}")
    return templates[data.template]
