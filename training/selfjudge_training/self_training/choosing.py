"""What the samples of a prompt make: the chosen and the rejected one, or a pair that is skipped for a reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from selfjudge import Comparison
from selfjudge_training.rollouts.base import Sample
from selfjudge_training.rollouts.judge import Judge
from selfjudge_training.rollouts.scores import Scorer
from selfjudge_training.self_training.losses import Pair
from selfjudge_training.self_training.prompts import Prompt

Choose = Callable[[Sequence[Prompt], Sequence[Sequence[Sample]]], list[Pair]]
"""A pair for each prompt, by its samples."""


@dataclass(frozen=True)
class Compared:
    """Two samples, compared in both orders (section 3.2)."""

    judge: Judge
    least_margin: float
    """Pairs with |P(first is better) - 1/2| below it are skipped."""

    def __call__(self, prompts: Sequence[Prompt], sampled: Sequence[Sequence[Sample]]) -> list[Pair]:
        """As `Choose`. No judge is asked about equal samples."""
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


@dataclass(frozen=True)
class BestAndWorst:
    """The best and the worst of any number of samples, by scores in place."""

    scorer: Scorer
    least_margin: float
    """Pairs whose scores differ by less are skipped."""

    def __call__(self, prompts: Sequence[Prompt], sampled: Sequence[Sequence[Sample]]) -> list[Pair]:
        """As `Choose`. What is sampled twice is scored once; where the samples are equal, only to be counted."""
        distinct = [list({sample.text: sample for sample in samples}.values()) for samples in sampled]
        scores = self.scorer.scores([prompt.asked for prompt in prompts], distinct)
        return list(map(self._pair, prompts, sampled, distinct, scores))

    def _pair(self, prompt: Prompt, samples: Sequence[Sample], distinct: Sequence[Sample], scores: list[float]) -> Pair:
        ranked = sorted(range(len(distinct)), key=scores.__getitem__)
        best, worst, equal = ranked[-1], ranked[0], len(distinct) == 1
        gap = scores[best] - scores[worst]
        score_of = {sample.text: score for sample, score in zip(distinct, scores, strict=True)}
        return Pair(
            prompt.ids,
            distinct[best].token_ids,
            distinct[worst].token_ids,
            equal=equal,
            tie=not equal and gap == 0,
            close=0 < gap < self.least_margin,
            score=fmean(score_of[sample.text] for sample in samples),
        )
