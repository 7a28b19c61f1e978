"""Pairs of samples, judged: what a step learns from, what it skips and why, and the policy as their source."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from typing_extensions import override

from selfjudge import Comparison, Verdict
from selfjudge_training.rollouts.base import RollOuts, Sample, Sampling
from selfjudge_training.rollouts.judge import Judge
from selfjudge_training.self_training.losses import Preference
from selfjudge_training.self_training.prompts import Prompt


@dataclass(frozen=True, slots=True)
class Judged:
    """Two responses to one prompt, judged, and what became of them."""

    preference: Preference
    """The two in the order of the judge's preference, or as they were sampled where it has none."""
    equal: bool = False
    """The two say the same, and no judge was asked."""
    tie: bool = False
    """The judge prefers neither."""
    close: bool = False
    """The judge's preference is weaker than the margin asked for."""
    consistent: bool | None = None
    """Whether the judge said the same in both orders; None where it was not asked."""

    @property
    def skipped(self) -> bool:
        """Whether nothing is learned from them: they are `equal`, a `tie` or `close`."""
        return self.equal or self.tie or self.close

    @property
    def tokens(self) -> float:
        """Mean length of the two responses."""
        return (len(self.preference.chosen) + len(self.preference.rejected)) / 2


class PairSource(Protocol):
    """Gives the pairs of a step. A further way of making pairs (RSO's rejection sampling, say) is another of these."""

    def __len__(self) -> int:
        """How many prompts there are, each with one pair."""
        ...

    def judged(self, indices: Sequence[int], seed: int) -> list[Judged]:
        """One pair for each of the prompts with these indices, in their order; equal seeds give equal pairs."""
        ...


class OnPolicy(PairSource):
    """Two samples of the policy to each prompt, as it is now, judged in both orders by the reference (section 3.2).

    ``least_margin``, in [0, 0.5): pairs with |P(first is better) - 1/2| below it are skipped.
    """

    def __init__(
        self, rollouts: RollOuts, judge: Judge, prompts: Sequence[Prompt], sampling: Sampling, least_margin: float
    ) -> None:
        self._rollouts, self._judge, self._prompts = rollouts, judge, prompts
        self._sampling, self._least_margin = sampling, least_margin

    @override
    def __len__(self) -> int:
        return len(self._prompts)

    @override
    def judged(self, indices: Sequence[int], seed: int) -> list[Judged]:
        prompts = [self._prompts[index] for index in indices]
        samples = self._rollouts.sample(
            [prompt.asked for prompt in prompts], samples=2, sampling=self._sampling, seed=seed
        )
        differing = [index for index, (first, second) in enumerate(samples) if first.text != second.text]
        comparisons = [
            Comparison(prompts[index].conversation, *(sample.text for sample in samples[index])) for index in differing
        ]
        verdicts = dict(zip(differing, self._judge.verdicts(comparisons), strict=True)) if comparisons else {}
        return [
            _label(prompt, pair, verdicts.get(index), self._least_margin)
            for index, (prompt, pair) in enumerate(zip(prompts, samples, strict=True))
        ]


def _label(prompt: Prompt, pair: Sequence[Sample], verdict: Verdict | None, least_margin: float) -> Judged:
    first, second = (sample.token_ids for sample in pair)
    as_sampled = Preference(prompt.ids, first, second)
    if verdict is None:
        return Judged(as_sampled, equal=True)
    tie = verdict.winner == "tie"
    close = not tie and abs(verdict.probability_a - 0.5) < least_margin
    preference = Preference(prompt.ids, second, first) if verdict.winner == "B" else as_sampled
    return Judged(preference, tie=tie, close=close, consistent=verdict.consistent)
