"""The judge that has the answer key: of two responses the right one wins."""

from collections.abc import Mapping, Sequence

from selfjudge import Comparison, Orders, Winner
from selfjudge_training.evaluation.judges.judgment import Judgment


class AnswerJudge:
    """Judges responses to questions whose one right answer is known: under every principle alike.

    Args:
        answers: the right answer by question.
    """

    def __init__(self, answers: Mapping[str, str]) -> None:
        self._answers = answers

    def verdicts(self, comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:  # noqa: ARG002
        """A judgment of each comparison; both right or both wrong is a tie."""
        return [self._verdict(comparison) for comparison in comparisons]

    def _verdict(self, comparison: Comparison) -> Judgment:
        context = comparison.conversation
        answer = self._answers[context if isinstance(context, str) else str(context[-1].get("content"))]
        lead = (comparison.first == answer) - (comparison.second == answer)
        winner: Winner = "A" if lead > 0 else "B" if lead < 0 else "tie"
        probability = {"A": 1.0, "tie": 0.5, "B": 0.0}[winner]
        return Judgment(winner, probability, Orders(probability, probability), consistent=True, label_mass=1.0)
