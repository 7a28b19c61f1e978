"""Preference pairs of a data set as token ids, the same as those of JSFT's dialogues and of roll-outs."""

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from selfjudge import Chat, dialogue_example
from training.data.jsft import with_system
from training.data.records import Messages, PreferencePair
from training.self_training.preferences import Preference


class Encoded(NamedTuple):
    """Pairs that fit, and how many did not."""

    preferences: list[Preference]
    too_long: int
    """Left out: nothing of a response fits behind the prompt, or nothing that tells them apart."""


def encode_pairs(chat: Chat, pairs: Sequence[PreferencePair], *, system: str | None, max_tokens: int) -> Encoded:
    """Token ids of pairs, responses with the token that ends the turn, cut to ``max_tokens`` at their ends."""
    encoded = [_preference(chat, pair, system, max_tokens) for pair in pairs]
    kept = [each for each in encoded if each.chosen != each.rejected and each.chosen and each.rejected]
    return Encoded(kept, len(encoded) - len(kept))


def _preference(chat: Chat, pair: PreferencePair, system: str | None, max_tokens: int) -> Preference:
    conversation = with_system(pair.conversation, system)
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
