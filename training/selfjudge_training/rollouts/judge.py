"""The frozen reference as the judge of what the policy samples: verdicts over both orders and all principles.

Leaves out what becomes of a verdict (ties, margins, preference pairs): that is the loop's.
"""

from collections.abc import Sequence

from selfjudge import Comparison, JudgmentEncoder, PrincipleVerdict, Verdict
from selfjudge_training.rollouts.base import RollOuts


class Judge:
    """Judges by a back end's bare model, under one principle for each encoder (section 3.1)."""

    def __init__(self, rollouts: RollOuts, encoders: Sequence[JudgmentEncoder]) -> None:
        self._rollouts, self._encoders = rollouts, encoders

    def verdicts(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        """The verdict on each comparison, in the order given. Raises ConversationError."""
        by_principle = [self._judge(encoder, comparisons) for encoder in self._encoders]
        return [Verdict.of(of_one) for of_one in zip(*by_principle, strict=True)]

    def _judge(self, encoder: JudgmentEncoder, comparisons: Sequence[Comparison]) -> list[PrincipleVerdict]:
        prompts = encoder.encode_batch(comparisons)
        ids = [order for prompt in prompts for order in (prompt.first_at_a, prompt.first_at_b)]
        readings = iter(self._rollouts.read(ids, encoder.choice_tokens))
        return [PrincipleVerdict(encoder.principle, *orders) for orders in zip(readings, readings, strict=True)]
