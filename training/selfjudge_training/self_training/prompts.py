"""What data sets give: conversations to sample to, and pairs of responses as token ids.

Both are the same as those of JSFT's dialogues and of roll-outs.
"""

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import NamedTuple

from selfjudge import Chat, dialogue_example
from selfjudge_training.data.examples.shown import as_shown, require_prompt
from selfjudge_training.data.load import load_overall_pairs
from selfjudge_training.data.records import Messages, PreferencePair
from selfjudge_training.data.source import DataError
from selfjudge_training.rollouts.base import encode_prompts
from selfjudge_training.run.config import ConfigError
from selfjudge_training.self_training.losses import Preference
from selfjudge_training.self_training.self_training_config import Prompts


@dataclass(frozen=True, slots=True)
class Prompt:
    """One conversation, as the judge and as the policy see it."""

    conversation: Messages
    """As the data set has it: judgments of JSFT show no default system message beside the judge's own (A.5)."""
    asked: Messages
    """With the default system message, as the policy answers it."""
    ids: list[int]
    """Of this."""


class Gathered(NamedTuple):
    """Prompts that fit, and how many did not."""

    prompts: list[Prompt]
    too_long: int
    """Left out: with the longest response they would be longer than the longest sequence."""
    account: list[str]
    """Lines for people about rows of data sets."""


def gather_prompts(chat: Chat, config: Prompts, *, longest: int) -> Gathered:
    """The prompts of a configuration's data sets, of at most ``longest`` tokens, no conversation twice.

    Raises DataError where a data set cannot be read or gives nothing, ConfigError where no prompt is left.
    """
    # Not the demonstrations': those of UltraFeedback carry system messages of their own (A.5).
    loaded = load_overall_pairs(config.sources, fit=partial(require_prompt, chat, system=config.system))
    account = loaded.account("pairs")
    conversations = list({json.dumps(each.conversation): each.conversation for each in loaded.records}.values())
    if not conversations:
        raise DataError("\n".join((*account, "the sources give no prompt; the account above says why")))
    asked = [as_shown(chat, conversation, config.system) for conversation in conversations]
    every = [Prompt(*row) for row in zip(conversations, asked, encode_prompts(chat, asked), strict=True)]
    prompts = [prompt for prompt in every if len(prompt.ids) <= longest]
    if not prompts:
        raise ConfigError(f"prompts: none of {len(every)} has room in {longest} tokens; see max_tokens")
    return Gathered(prompts, len(every) - len(prompts), account)


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


def batch_of_step(prompts: int, batch: int, step: int, seed: int) -> list[int]:
    """Which prompts the step, counted from 0, takes: epoch after epoch, each in an order of its own.

    A function of its arguments alone, so that a resumed run goes on with what the killed one would have taken.
    """
    places = range(step * batch, (step + 1) * batch)
    orders = {epoch: _order(prompts, seed, epoch) for epoch in {place // prompts for place in places}}
    return [orders[place // prompts][place % prompts] for place in places]


def _order(prompts: int, seed: int, epoch: int) -> list[int]:
    order = list(range(prompts))
    random.Random(f"{seed}:epoch {epoch}").shuffle(order)
    return order


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
