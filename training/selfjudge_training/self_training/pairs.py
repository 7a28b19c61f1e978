"""Sources of pairs, one of which is the policy: prompts of data sets, two samples to each, judged."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from selfjudge import Chat, Comparison
from selfjudge_training.data.examples.shown import as_shown, require_dialogue
from selfjudge_training.data.load import load_overall_pairs
from selfjudge_training.data.records import Messages
from selfjudge_training.data.source import DataError
from selfjudge_training.rollouts.base import RollOuts, Sampling, encode_prompts
from selfjudge_training.rollouts.judge import Judge
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.processes import processes
from selfjudge_training.self_training.losses import Pair
from selfjudge_training.self_training.self_training_config import Prompts


class PairSource(NamedTuple):
    """Gives the pairs of a step. A further way of making pairs (RSO's rejection sampling, say) is another of these."""

    prompts: int
    """How many there are, each with one pair."""
    judged: Callable[[Sequence[int], int], list[Pair]]
    """One pair for each of the prompts with these indices, in their order, by a seed; equal ones give equal pairs."""


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
    loaded = load_overall_pairs(
        config.sources, fit=partial(require_dialogue, chat, system=config.system, answered=False)
    )
    account = loaded.account("pairs")
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


@dataclass(frozen=True)
class OnPolicy:
    """Two samples of the policy to each prompt, as it is now, judged in both orders by the reference (section 3.2)."""

    rollouts: RollOuts
    judge: Judge
    prompts: Sequence[Prompt]
    sampling: Sampling
    least_margin: float
    """In [0, 0.5): pairs with |P(first is better) - 1/2| below it are skipped."""

    def judged(self, indices: Sequence[int], seed: int) -> list[Pair]:
        """As a `PairSource` gives them."""
        prompts = [self.prompts[index] for index in indices]
        asked = [prompt.asked for prompt in prompts]
        sampled = self.rollouts.sample(asked, samples=2, sampling=self.sampling, seed=seed)
        pairs = [
            Pair(prompt.ids, first.token_ids, second.token_ids, equal=first.text == second.text)
            for prompt, (first, second) in zip(prompts, sampled, strict=True)
        ]
        differing = [place for place, pair in enumerate(pairs) if not pair.equal]
        comparisons = [
            Comparison(prompts[place].conversation, *(sample.text for sample in sampled[place])) for place in differing
        ]
        verdicts = self.judge.verdicts(comparisons) if comparisons else []
        for place, verdict in zip(differing, verdicts, strict=True):
            pair, tie = pairs[place], verdict.winner == "tie"
            close = not tie and abs(verdict.probability_a - 0.5) < self.least_margin
            if verdict.winner == "B":
                pair = pair._replace(chosen=pair.rejected, rejected=pair.chosen)
            pairs[place] = pair._replace(tie=tie, close=close, consistent=verdict.consistent)
        return pairs
