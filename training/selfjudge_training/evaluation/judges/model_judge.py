"""A model folder as the judge, run in this process by a roll-out back end: no server needed.

Judges in both orders without any adapter (`selfjudge_training.rollouts.judge`), one encoder per principle.
"""

from collections.abc import Sequence

from tqdm import tqdm

from selfjudge import Comparison, JudgmentEncoder, JudgmentTemplate
from selfjudge_training.evaluation.judges.judgment import Judgment
from selfjudge_training.rollouts.base import RollOuts
from selfjudge_training.rollouts.judge import Judge

CHUNK = 128
"""Comparisons judged between two moves of the progress bar."""


class ModelJudge:
    """A model that judges by one template.

    Args:
        rollouts: runs the model.
        template: of the judgments.
        max_tokens: longest judgment prompt; what does not fit is cut by `selfjudge`'s rule.

    Raises:
        SelfJudgeError: where template and tokenizer do not go together.
    """

    def __init__(self, rollouts: RollOuts, template: JudgmentTemplate, max_tokens: int) -> None:
        self._rollouts = rollouts
        self._encoders = {
            principle: JudgmentEncoder(rollouts.chat, template, principle, max_tokens=max_tokens)
            for principle in template.principles or (None,)
        }

    def verdicts(self, comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:
        """As `Judge.verdicts`."""
        encoders = self._under(principle)
        judgments, starts = [], range(0, len(comparisons), CHUNK)
        for start in tqdm(starts, "judging", unit="batch", leave=False, disable=len(starts) == 1):
            judgments += _judged(Judge(self._rollouts, encoders), encoders[0], comparisons[start : start + CHUNK])
        return judgments

    def _under(self, principle: str | None) -> list[JudgmentEncoder]:
        if principle is None or None in self._encoders:
            return list(self._encoders.values())
        if principle not in self._encoders:
            known = ", ".join(map(str, self._encoders))
            raise ValueError(f"a pair has the principle {principle!r}, but the template knows {known}")
        return [self._encoders[principle]]


def _judged(judge: Judge, encoder: JudgmentEncoder, comparisons: Sequence[Comparison]) -> list[Judgment]:
    # The templates' principles differ by a few words: what one of them cuts, about all of them do.
    prompts = encoder.encode_batch(comparisons)
    return [
        Judgment(
            verdict.winner,
            verdict.probability_a,
            verdict.orders,
            verdict.consistent,
            verdict.label_mass,
            prompt.cut is not None,
        )
        for prompt, verdict in zip(prompts, judge.verdicts(comparisons), strict=True)
    ]
