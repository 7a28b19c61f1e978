"""Sources of pairs, one of which is the policy: its samples to the prompts of a step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from selfjudge_training.rollouts.base import RollOuts, Sampling
from selfjudge_training.self_training.choosing import Choose
from selfjudge_training.self_training.losses import Pair
from selfjudge_training.self_training.prompts import Prompt


class PairSource(NamedTuple):
    """Gives the pairs of a step. A further way of making pairs (RSO's rejection sampling, say) is another of these."""

    prompts: int
    """How many there are, each with one pair."""
    judged: Callable[[Sequence[int], int], list[Pair]]
    """One pair for each of the prompts with these indices, in their order, by a seed; equal ones give equal pairs."""


@dataclass(frozen=True)
class OnPolicy:
    """Samples of the policy to each prompt, as it is now, of which the reference chooses two (section 3.2)."""

    rollouts: RollOuts
    choose: Choose
    prompts: Sequence[Prompt]
    sampling: Sampling
    samples: int
    """To each prompt."""

    def judged(self, indices: Sequence[int], seed: int) -> list[Pair]:
        """As a `PairSource` gives them."""
        prompts = [self.prompts[index] for index in indices]
        asked = [prompt.asked for prompt in prompts]
        sampled = self.rollouts.sample(asked, samples=self.samples, sampling=self.sampling, seed=seed)
        lengths = [fmean(len(sample.token_ids) for sample in samples) for samples in sampled]
        pairs = zip(self.choose(prompts, sampled), lengths, strict=True)
        return [pair._replace(sampled_tokens=length) for pair, length in pairs]
