"""From samples and verdicts to preference pairs in token ids, with a count of what was skipped and why.

Leaves out who sampled and who judged (`sources`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from selfjudge import Comparison, Verdict
from selfjudge_training.rollouts.base import Sample
from selfjudge_training.rollouts.judge import Judge
from selfjudge_training.self_training.prompts import Prompt


class Preference(NamedTuple):
    """One pair to learn from, in token ids: what the policy generated is what the loss is taken over."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


@dataclass(frozen=True, slots=True)
class Judged:
    """Two samples to one prompt, judged, and what became of them."""

    preference: Preference
    """The two in the order of the judge's preference, or as they were sampled where it has none."""
    tokens: float
    """Mean length of the two samples."""
    exact: float | None
    """Share of the two that are exactly right; None where no program can tell."""
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


def judge_samples(
    judge: Judge, prompts: Sequence[Prompt], samples: Sequence[Sequence[Sample]], least_margin: float
) -> list[Judged]:
    """Judge two samples to each prompt, in both orders (section 3.2).

    ``least_margin``, in [0, 0.5): pairs with |P(first is better) - 1/2| below it are skipped.
    """
    open_pairs = [index for index, (first, second) in enumerate(samples) if first.text != second.text]
    comparisons = [
        Comparison(prompts[index].conversation, *(sample.text for sample in samples[index])) for index in open_pairs
    ]
    verdicts = dict(zip(open_pairs, judge.verdicts(comparisons), strict=True)) if comparisons else {}
    return [
        _label(prompt, pair, verdicts.get(index), least_margin)
        for index, (prompt, pair) in enumerate(zip(prompts, samples, strict=True))
    ]


def _label(prompt: Prompt, pair: Sequence[Sample], verdict: Verdict | None, least_margin: float) -> Judged:
    tokens = sum(len(sample.token_ids) for sample in pair) / len(pair)
    exact = None if prompt.answer is None else sum(sample.text == prompt.answer for sample in pair) / len(pair)
    first, second = (sample.token_ids for sample in pair)
    as_sampled = Preference(prompt.ids, first, second)
    if verdict is None:
        return Judged(as_sampled, tokens, exact, equal=True)
    tie = verdict.winner == "tie"
    close = not tie and abs(verdict.probability_a - 0.5) < least_margin
    preference = Preference(prompt.ids, second, first) if verdict.winner == "B" else as_sampled
    return Judged(preference, tokens, exact, tie=tie, close=close, consistent=verdict.consistent)
