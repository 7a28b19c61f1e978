"""The examples of a run, kept in its folder as Arrow files that processes map into memory and share.

A set of UltraFeedback's size has 10^8 tokens and more: as Python's integers they take tens of gigabytes in each
process, here some four bytes a token, on the disk. They are encoded once, each process taking its share, and a run that
goes on finds them as it left them, whatever has become of the sources.
"""

import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pyarrow.compute as pc  # type: ignore[import-untyped]  # it ships no py.typed
from datasets import (  # type: ignore[import-untyped]  # likewise
    Dataset,
    Features,
    List,
    Value,
    concatenate_datasets,
)
from datasets.arrow_writer import ArrowWriter  # type: ignore[import-untyped]  # likewise

from selfjudge import Chat, JudgmentTemplate, load_templates
from training.data.jsft import JsftExample, each_example
from training.data.load import load_demonstrations, load_pairs
from training.jsft.batches import Row
from training.jsft.config import Data
from training.run.config import ConfigError
from training.run.files import beside, put_in_place
from training.run.processes import processes

EXAMPLES = "examples"
"""Their folder within the run's."""

_FEATURES = Features(
    {
        "input_ids": List(Value("int32")),
        "loss_mask": List(Value("bool")),
        "judgment": Value("bool"),
        "cut": Value("bool"),
    }
)
_BUFFERED = 256
"""Examples that are in memory at a time."""

Record = TypeVar("Record")


def kept_examples(data: Data, chat: Chat, seed: int, folder: Path, *, begun: bool) -> Dataset:
    """The JSFT set of a configuration, its rows `Row`s; to be called by all processes.

    Where the run has `begun`, what its folder holds is used as it is; otherwise it is made, with an account of it on
    stdout. Raises ConfigError and DataError.
    """
    state, whole = processes(), folder / EXAMPLES
    if state.is_main_process and not begun:
        shutil.rmtree(whole, ignore_errors=True)  # of a run that never began; its data may have been mended since
    state.wait_for_everyone()
    if whole.is_dir():
        return _opened(whole)
    demonstrations = _make(data, chat, seed, whole)
    made = _opened(whole)
    if state.is_main_process:
        cut = sum(made.data.column("cut").to_pylist())
        left_out = demonstrations - made.data.column("judgment").to_pylist().count(False)
        print(f"{len(made):,} examples, {cut:,} of them cut to {data.max_length:,} tokens", end="; ")
        print(f"{left_out:,} left out, as no target fits in", flush=True)
    return made


def lengths(examples: Dataset) -> list[int]:
    """Of each example, in tokens."""
    counted: list[int] = pc.list_value_length(examples.data.column("input_ids")).to_pylist()
    return counted


def as_row(example: JsftExample) -> Row:
    """What a batch needs of it."""
    return Row(input_ids=example.input_ids, loss_mask=example.loss_mask, judgment=example.kind == "judgment")


def share(records: list[Record], process: int, processes: int) -> list[Record]:
    """What one of so many processes encodes, in one piece."""
    start, stop = (len(records) * (process + side) // processes for side in (0, 1))
    return records[start:stop]


def _opened(whole: Path) -> Dataset:
    # By name, dialogues come before judgments, and shares of processes in order: their number changes nothing.
    return concatenate_datasets([Dataset.from_file(str(path)) for path in sorted(whole.glob("*.arrow"))])


def _make(data: Data, chat: Chat, seed: int, whole: Path) -> int:
    """Each process writes its share; the folder gets its name when all are there. Returns how many demonstrations."""
    state, unfinished = processes(), beside(whole)
    template = _template(data)
    pairs = load_pairs(data.pairs, template, seed=seed, strict=data.strict)
    demonstrations = load_demonstrations(data.demonstrations, strict=data.strict)
    if state.is_main_process:
        print(*demonstrations.account("demonstrations"), *pairs.account("pairs"), sep="\n", flush=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
    state.wait_for_everyone()
    encoded = partial(
        each_example,
        chat,
        template,
        max_tokens=data.max_length,
        system=data.system,
        quiet=not state.is_main_process,
    )
    place = (state.process_index, state.num_processes)
    _write(encoded(share(demonstrations.records, *place), []), unfinished / f"dialogues-{place[0]:05d}.arrow")
    _write(encoded([], share(pairs.records, *place)), unfinished / f"judgments-{place[0]:05d}.arrow")
    state.wait_for_everyone()
    if state.is_main_process:
        put_in_place(unfinished, whole)
    state.wait_for_everyone()
    return len(demonstrations.records)


def _template(data: Data) -> JudgmentTemplate:
    templates = load_templates(data.templates)
    if data.template not in templates:
        raise ConfigError(f"data.template is {data.template!r}; there are {', '.join(sorted(templates))}")
    return templates[data.template]


def _write(examples: Iterable[JsftExample], file: Path) -> None:
    with ArrowWriter(path=str(file), features=_FEATURES, writer_batch_size=_BUFFERED) as writer:
        for example in examples:
            writer.write({**as_row(example), "cut": example.cut})
        writer.finalize()
