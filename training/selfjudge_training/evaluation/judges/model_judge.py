"""A model folder as the judge, run in this process by a roll-out back end, without any adapter."""

from collections.abc import Sequence

from selfjudge import Comparison, JudgmentEncoder, JudgmentTemplate
from selfjudge_training.evaluation.judges.judgment import Judgment
from selfjudge_training.rollouts.base import RollOuts
from selfjudge_training.rollouts.judge import Judge


class ModelJudge:
    """A model that judges by one template; prompts longer than its context are cut by `selfjudge`'s rule.

    Raises SelfJudgeError where template and tokenizer do not go together.
    """

    def __init__(self, rollouts: RollOuts, template: JudgmentTemplate) -> None:
        self._rollouts = rollouts
        room = rollouts.context - 1  # the choice token needs a place, too
        self._encoders = {
            principle: JudgmentEncoder(rollouts.chat, template, principle, max_tokens=room)
            for principle in template.principles or (None,)
        }

    def verdicts(self, comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:
        """As `Judge.verdicts`."""
        encoders = self._under(principle)
        verdicts = Judge(self._rollouts, encoders).verdicts(comparisons)
        # The templates' principles differ by a few words: what one of them cuts, about all of them do.
        prompts = encoders[0].encode_batch(comparisons)
        return [
            Judgment.of(verdict, cut=prompt.cut is not None) for prompt, verdict in zip(prompts, verdicts, strict=True)
        ]

    def _under(self, principle: str | None) -> list[JudgmentEncoder]:
        if principle is None or None in self._encoders:
            return list(self._encoders.values())
        if principle not in self._encoders:
            known = ", ".join(map(str, self._encoders))
            raise ValueError(f"a pair has the principle {principle!r}, but the template knows {known}")
        return [self._encoders[principle]]
