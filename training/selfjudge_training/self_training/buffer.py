"""Pairs made before training begins and met again every epoch: sampled once, or taken from data sets (table 4).

They lie in the run's folder as Arrow files, which processes map into memory and share.
"""

from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path

from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from datasets import Dataset, Features, List, Value  # type: ignore[import-untyped]  # likewise
from tqdm import tqdm
from typing_extensions import override

from selfjudge import Chat
from selfjudge_training.data.examples.shown import require_dialogue
from selfjudge_training.data.load import load_overall_pairs
from selfjudge_training.data.source import DataError, Source
from selfjudge_training.run.kept_rows import find_rows, make_rows, open_rows, own_share, write_rows
from selfjudge_training.run.processes import processes
from selfjudge_training.seeds import derived_seed
from selfjudge_training.self_training.losses import Preference
from selfjudge_training.self_training.pairs import Judged, PairSource
from selfjudge_training.self_training.prompts import each_preference
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig

FOLDER = "buffer"
"""Within the run's."""

_FLAGS = [field.name for field in fields(Judged) if field.name != "preference"]
_FEATURES = Features(
    {name: List(Value("int32")) for name in Preference._fields} | {name: Value("bool") for name in _FLAGS}
)


class Buffer(PairSource):
    """One pair for each prompt, always the same."""

    def __init__(self, rows: Dataset) -> None:
        self._rows = rows

    @override
    def __len__(self) -> int:
        return len(self._rows)

    @override
    def judged(self, indices: Sequence[int], seed: int) -> list[Judged]:
        return [
            Judged(Preference(*(row[name] for name in Preference._fields)), *(row[name] for name in _FLAGS))
            for row in (self._rows[index] for index in indices)
        ]


def sampled_buffer(config: SelfTrainingConfig, source: PairSource, accelerator: Accelerator, output: Path) -> Buffer:
    """One pair of a source for each prompt, each call of the roll-outs in a file: what is there already is kept."""
    folder = output / FOLDER
    folder.mkdir(exist_ok=True)
    size, prompts = config.rollouts.prompts_per_call, range(len(source))
    calls = [prompts[start : start + size] for start in range(0, len(prompts), size)]
    own = range(accelerator.process_index, len(calls), accelerator.num_processes)
    for number in tqdm(own, "filling the buffer", unit="call", disable=not accelerator.is_main_process):
        file = folder / f"part-{number:06d}.arrow"
        if not file.is_file():
            pairs = source.judged(calls[number], derived_seed(config.seed, "buffer", number))
            write_rows(map(_as_row, pairs), _FEATURES, file)
    accelerator.wait_for_everyone()
    return Buffer(open_rows(folder))


def given_buffer(config: SelfTrainingConfig, chat: Chat, output: Path, *, begun: bool) -> Buffer:
    """The pairs of the data sets; where the run has ``begun``, those that its folder holds. Raises DataError."""
    rows = find_rows(output / FOLDER, begun=begun)
    if rows is None:
        rows = _given_rows(config, chat, config.prompts.sources, output / FOLDER)
    if not len(rows):
        raise DataError("the sources give no pair; the account above says why")
    return Buffer(rows)


def held_out_pairs(config: SelfTrainingConfig, chat: Chat) -> list[Preference]:
    """The pairs that are measured on. Raises DataError."""
    pairs = load_overall_pairs(config.evaluation.pairs, seed=config.seed, fit=_learnable(config, chat)).records
    return list(each_preference(chat, pairs, system=config.prompts.system, max_tokens=config.max_tokens))


def _given_rows(config: SelfTrainingConfig, chat: Chat, sources: Sequence[Source], folder: Path) -> Dataset:
    main, system = processes().is_main_process, config.prompts.system
    loaded = load_overall_pairs(sources, seed=config.seed, fit=_learnable(config, chat))
    own = tqdm(own_share(loaded.records), "pairs", leave=False, disable=None if main else True)
    encoded = each_preference(chat, own, system=system, max_tokens=config.max_tokens)
    made = make_rows(folder, _FEATURES, {"pairs": (_as_row(Judged(pair)) for pair in encoded)})
    if main:
        print(*loaded.account("pairs"), f"{len(loaded.records) - len(made):,} left out as too long", sep="\n")
    return made


def _learnable(config: SelfTrainingConfig, chat: Chat) -> partial[None]:
    return partial(require_dialogue, chat, system=config.prompts.system)


def _as_row(pair: Judged) -> dict[str, object]:
    return {**pair.preference._asdict(), **{name: getattr(pair, name) for name in _FLAGS}}
