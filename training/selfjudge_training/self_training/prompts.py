"""What the policy is asked: the conversations of data sets, each once, as far as there is room for an answer."""

import json
from functools import partial
from typing import NamedTuple

from selfjudge import Chat
from selfjudge_training.data.examples.shown import as_shown, require_dialogue
from selfjudge_training.data.load import load_asked
from selfjudge_training.data.records import Messages
from selfjudge_training.data.source import DataError
from selfjudge_training.rollouts.base import encode_prompts
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.processes import processes
from selfjudge_training.self_training.self_training_config import Prompts


class Prompt(NamedTuple):
    """One conversation, as the judge and as the policy see it."""

    conversation: Messages
    """As the data set has it: judgments of JSFT show no default system message beside the judge's own (A.5)."""
    asked: Messages
    """With the default system message, as the policy answers it."""
    ids: list[int]
    """Of this."""


def gather_prompts(chat: Chat, config: Prompts, *, longest: int) -> list[Prompt]:
    """The prompts of a configuration's data sets, of at most ``longest`` tokens, no conversation twice.

    The main process prints an account of them. Raises DataError where a data set cannot be read or gives nothing,
    ConfigError where no prompt is left.
    """
    # Not the demonstrations': those of UltraFeedback carry system messages of their own (A.5).
    loaded = load_asked(config.sources, fit=partial(require_dialogue, chat, system=config.system, answered=False))
    account = loaded.account("conversations")
    conversations = list({json.dumps(each.conversation): each.conversation for each in loaded.records}.values())
    if not conversations:
        raise DataError("\n".join((*account, "the sources give no prompt; the account above says why")))
    asked = [as_shown(chat, conversation, config.system) for conversation in conversations]
    every = map(Prompt, conversations, asked, encode_prompts(chat, asked))
    prompts = [prompt for prompt in every if len(prompt.ids) <= longest]
    if not prompts:
        raise ConfigError(f"prompts: none of {len(asked)} has room in {longest} tokens; see max_tokens")
    if processes().is_main_process:
        too_long = len(asked) - len(prompts)
        print(*account, f"{len(prompts):,} prompts; {too_long:,} left out as longer than {longest} tokens", sep="\n")
    return prompts
