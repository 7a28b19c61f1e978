"""A model folder as the judge, run in this process by a roll-out back end: no server needed.

Judges in both orders without any adapter (`selfjudge_training.rollouts.judge`), one encoder per principle.
"""

from collections.abc import Sequence

from tqdm import tqdm

from selfjudge import Comparison, JudgmentEncoder, JudgmentTemplate
from selfjudge_training.evaluation.panels.judgment import Judgment
from selfjudge_training.rollouts.base import RollOuts
from selfjudge_training.rollouts.judge import Judge

CHUNK = 128
"""Comparisons judged between two moves of the progress bar."""


class ModelPanel:
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

    def under(self, principle: str | None) -> "ModelJudge":
        """Who judges under one principle. Raises ValueError for one that the template does not know."""
        if principle is None or None in self._encoders:
            return ModelJudge(self._rollouts, list(self._encoders.values()))
        if principle not in self._encoders:
            raise ValueError(f"a pair has the principle {principle!r}, but the template knows {', '.join(self._known)}")
        return ModelJudge(self._rollouts, [self._encoders[principle]])

    @property
    def _known(self) -> list[str]:
        return [principle for principle in self._encoders if principle is not None]


class ModelJudge:
    """The judge of one panel under one principle or several."""

    def __init__(self, rollouts: RollOuts, encoders: Sequence[JudgmentEncoder]) -> None:
        self._judge, self._encoders = Judge(rollouts, encoders), encoders

    def verdicts(self, comparisons: Sequence[Comparison]) -> list[Judgment]:
        """A judgment of each comparison, in the order given."""
        judgments, starts = [], range(0, len(comparisons), CHUNK)
        for start in tqdm(starts, "judging", unit="batch", leave=False, disable=len(starts) == 1):
            judgments += self._judged(comparisons[start : start + CHUNK])
        return judgments

    def _judged(self, comparisons: Sequence[Comparison]) -> list[Judgment]:
        # The templates' principles differ by a few words: what one of them cuts, about all of them do.
        prompts = self._encoders[0].encode_batch(comparisons)
        return [
            Judgment(
                verdict.winner,
                verdict.probability_a,
                verdict.orders,
                verdict.consistent,
                verdict.label_mass,
                prompt.cut is not None,
            )
            for prompt, verdict in zip(prompts, self._judge.verdicts(comparisons), strict=True)
        ]
