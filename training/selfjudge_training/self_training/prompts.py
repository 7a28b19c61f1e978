"""The prompts of self-training: conversations that wait for an answer, with the right one where a program knows it.

Leaves out chosen and rejected responses that a data set may have: self-training makes its own.
"""

import json
import random
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

from selfjudge import Chat
from selfjudge_training.data.load import load_overall_pairs
from selfjudge_training.data.records import Messages
from selfjudge_training.data.shown import as_shown, require_prompt
from selfjudge_training.data.source import DataError
from selfjudge_training.rollouts.prompts import encode_prompts
from selfjudge_training.run.config import ConfigError
from selfjudge_training.self_training.config import Prompts
from selfjudge_training.self_training.seeds import derived_seed
from selfjudge_training.tasks import Problem
from selfjudge_training.tasks.split import Split, draw_problems

ATTEMPTS = 100
"""Draws per checkable instruction until they are said to be too few."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One conversation, as the judge and as the policy see it."""

    conversation: Messages
    """As the data set has it: judgments of JSFT show no default system message beside the judge's own (A.5)."""
    asked: Messages
    """With the default system message, as the policy answers it."""
    ids: list[int]
    """Of this."""
    answer: str | None = None
    """The one right answer, for figures only: nothing learns from it. None where no program knows."""


class Gathered(NamedTuple):
    """Prompts that fit, and how many did not."""

    prompts: list[Prompt]
    too_long: int
    """Left out: with the longest response they would be longer than the longest sequence."""
    account: list[str]
    """Lines for people about rows of data sets."""


def gather_prompts(chat: Chat, config: Prompts, *, longest: int, seed: int) -> Gathered:
    """The prompts that a configuration asks for, of at most ``longest`` tokens, no conversation twice.

    Raises DataError where a data set cannot be read or gives nothing, ConfigError where no prompt is left.
    """
    account: list[str] = []
    if config.checkable is not None:
        drawn = _distinct_problems(config.checkable, config.tasks, seed)
        conversations: list[Messages] = [[{"role": "user", "content": problem.prompt}] for problem in drawn]
        answers: list[str | None] = [problem.answer for problem in drawn]
    else:
        # Not the demonstrations': those of UltraFeedback carry system messages of their own (A.5).
        loaded = load_overall_pairs(config.sources, fit=partial(require_prompt, chat, system=config.system))
        account = loaded.account("pairs")
        conversations = list({json.dumps(each.conversation): each.conversation for each in loaded.records}.values())
        answers = [None] * len(conversations)
    if not conversations:
        raise DataError("\n".join((*account, "the sources give no prompt; the account above says why")))
    asked = [as_shown(chat, conversation, config.system) for conversation in conversations]
    encoded = encode_prompts(chat, asked)
    every = [Prompt(*row) for row in zip(conversations, asked, encoded, answers, strict=True)]
    prompts = [prompt for prompt in every if len(prompt.ids) <= longest]
    if not prompts:
        raise ConfigError(f"prompts: none of {len(every)} has room in {longest} tokens; see max_tokens")
    return Gathered(prompts, len(every) - len(prompts), account)


def _distinct_problems(count: int, tasks: tuple[str, ...], seed: int) -> list[Problem]:
    found: dict[str, Problem] = {}
    for problem in islice(draw_problems(Split.TRAIN, derived_seed(seed, "prompts"), tasks), ATTEMPTS * count):
        found.setdefault(problem.prompt, problem)
        if len(found) == count:
            return list(found.values())
    raise ConfigError(f"prompts.checkable: {count} is more than there are; {len(found)} were found")


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
