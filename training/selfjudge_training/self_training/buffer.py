"""Pairs made before training begins and met again every epoch: sampled once, or taken from data sets (table 4).

They lie in the run's folder as Arrow files, which processes map into memory and share.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path

from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from datasets import Dataset, Features, List, Value  # type: ignore[import-untyped]  # likewise
from tqdm import tqdm

from selfjudge import Chat, dialogue_example
from selfjudge_training.data.examples.shown import as_shown, require_dialogue
from selfjudge_training.data.load import Loaded, load_overall_pairs
from selfjudge_training.data.records import Messages, PreferencePair
from selfjudge_training.data.source import DataError, Source
from selfjudge_training.run.kept_rows import find_rows, make_rows, open_rows, own_share, write_rows
from selfjudge_training.run.processes import processes
from selfjudge_training.seeds import derived_seed
from selfjudge_training.self_training.losses import Pair
from selfjudge_training.self_training.pairs import PairSource
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig

FOLDER = "buffer"
"""Within the run's."""

_FEATURES = Features(
    dict.fromkeys(("prompt", "chosen", "rejected"), List(Value("int32")))
    | dict.fromkeys(("equal", "tie", "close", "consistent"), Value("bool"))
    | dict.fromkeys(("score", "sampled_tokens"), Value("float64"))
)
"""Of a `Pair`."""


def _kept(rows: Dataset) -> PairSource:
    """Always the same, whatever the seed."""
    return PairSource(len(rows), lambda indices, _: [Pair(**rows[index]) for index in indices])


def sampled_pairs(config: SelfTrainingConfig, source: PairSource, accelerator: Accelerator, output: Path) -> PairSource:
    """One pair of a source for each prompt, each call of the roll-outs in a file: what is there already is kept."""
    folder = output / FOLDER
    folder.mkdir(exist_ok=True)
    size, prompts = config.rollouts.prompts_per_call, range(source.prompts)
    calls = [prompts[start : start + size] for start in range(0, len(prompts), size)]
    own = range(accelerator.process_index, len(calls), accelerator.num_processes)
    for number in tqdm(own, "filling the buffer", unit="call", disable=not accelerator.is_main_process):
        file = folder / f"part-{number:06d}.arrow"
        if not file.is_file():
            pairs = source.judged(calls[number], derived_seed(config.seed, "buffer", number))
            write_rows((pair._asdict() for pair in pairs), _FEATURES, file)
    accelerator.wait_for_everyone()
    return _kept(open_rows(folder))


def given_pairs(config: SelfTrainingConfig, chat: Chat, output: Path, *, begun: bool) -> PairSource:
    """The pairs of the data sets; where the run has ``begun``, those that its folder holds. Raises DataError."""
    rows = find_rows(output / FOLDER, begun=begun)
    if rows is None:
        main, loaded = processes().is_main_process, _loaded(config, chat, config.prompts.sources)
        own = tqdm(own_share(loaded.records), "pairs", leave=False, disable=None if main else True)
        encoded = each_pair(chat, own, system=config.prompts.system, max_tokens=config.max_tokens)
        rows = make_rows(output / FOLDER, _FEATURES, {"pairs": (pair._asdict() for pair in encoded)})
        if main:
            print(*loaded.account("pairs"), f"{len(loaded.records) - len(rows):,} left out as too long", sep="\n")
    if not len(rows):
        raise DataError("the sources give no pair; the account above says why")
    return _kept(rows)


def held_out_pairs(config: SelfTrainingConfig, chat: Chat) -> list[Pair]:
    """The pairs that are measured on. Raises DataError."""
    pairs = _loaded(config, chat, config.evaluation.pairs).records
    return list(each_pair(chat, pairs, system=config.prompts.system, max_tokens=config.max_tokens))


def _loaded(config: SelfTrainingConfig, chat: Chat, sources: Sequence[Source]) -> Loaded[PreferencePair]:
    learnable = partial(require_dialogue, chat, system=config.prompts.system)
    return load_overall_pairs(sources, seed=config.seed, fit=learnable)


def each_pair(chat: Chat, pairs: Iterable[PreferencePair], *, system: str | None, max_tokens: int) -> Iterator[Pair]:
    """Token ids of pairs, responses with the token that ends the turn, cut to ``max_tokens`` at their ends.

    Left out are pairs of which nothing of a response fits behind the prompt, or nothing that tells them apart.
    """
    for pair in pairs:
        conversation = as_shown(chat, pair.conversation, system)
        chosen, start_chosen = _dialogue(chat, conversation, pair.chosen)
        rejected, start_rejected = _dialogue(chat, conversation, pair.rejected)
        # Where a tokenizer merges the prompt's end with the response's beginning, the prompt is what both share of it.
        prompts = zip(chosen[:start_chosen], rejected[:start_rejected], strict=False)
        start = sum(1 for _ in takewhile(lambda ids: ids[0] == ids[1], prompts))
        made = Pair(chosen[:start], chosen[start:max_tokens], rejected[start:max_tokens])
        if made.chosen != made.rejected and made.chosen and made.rejected:
            yield made


def _dialogue(chat: Chat, conversation: Messages, response: str) -> tuple[list[int], int]:
    """Token ids up to the end of the response's turn, and where the response begins."""
    ids, mask = dialogue_example(chat, [*conversation, {"role": "assistant", "content": response}])
    end = len(mask) - mask[::-1].index(True)
    return ids[:end], end - mask[:end][::-1].index(False)
