"""Preference pairs of data sets as token ids, the same as those of JSFT's dialogues and of roll-outs.

They are kept in the run's folder (`selfjudge_training.run.kept_rows`).
"""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path

from datasets import Dataset, Features, List, Value  # type: ignore[import-untyped]  # it ships no py.typed
from tqdm import tqdm

from selfjudge import Chat, dialogue_example
from selfjudge_training.arms.offline_config import OfflineConfig
from selfjudge_training.data.load import load_overall_pairs
from selfjudge_training.data.records import Messages, PreferencePair
from selfjudge_training.data.shown import as_shown, require_dialogue
from selfjudge_training.run.kept_rows import find_rows, make_rows, own_share
from selfjudge_training.run.processes import processes
from selfjudge_training.self_training.preferences import Preference

PAIRS = "pairs"
"""Their folder within the run's."""

_FEATURES = Features({f"{field}_ids": List(Value("int32")) for field in Preference._fields})


def kept_pairs(config: OfflineConfig, chat: Chat, folder: Path, *, begun: bool) -> Dataset:
    """The pairs of a configuration, rows as TRL's DPOTrainer takes them; to be called by all processes.

    Where the run has ``begun``, what its folder holds is used as it is; otherwise it is made, with an account of it on
    stdout. Raises DataError.
    """
    found = find_rows(folder / PAIRS, begun=begun)
    if found is not None:
        return found
    main = processes().is_main_process
    learnable = partial(require_dialogue, chat, system=config.system)
    loaded = load_overall_pairs(config.pairs, seed=config.seed, fit=learnable)
    own = tqdm(own_share(loaded.records), "pairs", leave=False, disable=None if main else True)
    encoded = each_preference(chat, own, system=config.system, max_tokens=config.max_tokens)
    made = make_rows(folder / PAIRS, _FEATURES, {"pairs": map(_as_row, encoded)})
    if main:
        print(*loaded.account("pairs"), f"{len(loaded.records) - len(made):,} left out as too long", sep="\n")
    return made


def each_preference(
    chat: Chat, pairs: Iterable[PreferencePair], *, system: str | None, max_tokens: int
) -> Iterator[Preference]:
    """Token ids of pairs, responses with the token that ends the turn, cut to ``max_tokens`` at their ends.

    Left out are pairs of which nothing of a response fits behind the prompt, or nothing that tells them apart.
    """
    for pair in pairs:
        made = _preference(chat, pair, system, max_tokens)
        if made.chosen != made.rejected and made.chosen and made.rejected:
            yield made


def _as_row(pair: Preference) -> dict[str, list[int]]:
    return {f"{field}_ids": ids for field, ids in pair._asdict().items()}


def _preference(chat: Chat, pair: PreferencePair, system: str | None, max_tokens: int) -> Preference:
    conversation = as_shown(chat, pair.conversation, system)
    chosen, start_chosen = _dialogue(chat, conversation, pair.chosen)
    rejected, start_rejected = _dialogue(chat, conversation, pair.rejected)
    # Where a tokenizer merges the prompt's end with the response's beginning, the prompt is what both share of it.
    prompts = zip(chosen[:start_chosen], rejected[:start_rejected], strict=False)
    start = sum(1 for _ in takewhile(lambda ids: ids[0] == ids[1], prompts))
    return Preference(chosen[:start], chosen[start:max_tokens], rejected[start:max_tokens])


def _dialogue(chat: Chat, conversation: Messages, response: str) -> tuple[list[int], int]:
    """Token ids up to the end of the response's turn, and where the response begins."""
    example = dialogue_example(chat, [*conversation, {"role": "assistant", "content": response}])
    end = len(example.loss_mask) - example.loss_mask[::-1].index(True)
    start = end
    while start and example.loss_mask[start - 1]:
        start -= 1
    return example.input_ids[:end], start
