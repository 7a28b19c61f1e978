"""What any judge says of two responses, and the simplest judge: the one that has the answer key."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from selfjudge import Comparison, Orders, Winner


class Judgment(NamedTuple):
    """One comparison judged in both orders."""

    winner: Winner
    """A: the first response; B: the second."""
    probability_a: float
    """P(the first response is better), averaged over both orders and all principles."""
    orders: Orders
    """The same for each order alone."""
    consistent: bool
    """Whether both orders have the same winner."""
    label_mass: float
    """How much of the judge's answer was an answer to the question; 1 at best."""
    cut: bool = False
    """Whether texts had to be cut to fit the judge's context."""

    @property
    def points(self) -> float:
        """What the first response gets: 1 for a win, half for a tie, 0 for a loss."""
        return {"A": 1.0, "tie": 0.5, "B": 0.0}[self.winner]


class Judge(Protocol):
    """Compares responses."""

    def verdicts(self, comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:
        """A judgment of each comparison, in the order given, under one principle.

        Without a principle, and by a judge that knows none, it is on the whole, under all principles where there are
        any. Raises ValueError for a principle that the judge does not know.
        """
        ...


class AnswerJudge:
    """Has the right answer by question: of two responses the right one wins, under every principle alike."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self._answers = answers

    def verdicts(self, comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:  # noqa: ARG002
        """As `Judge.verdicts`; both right or both wrong is a tie."""
        return [self._verdict(comparison) for comparison in comparisons]

    def _verdict(self, comparison: Comparison) -> Judgment:
        context = comparison.conversation
        answer = self._answers[context if isinstance(context, str) else str(context[-1].get("content"))]
        lead = (comparison.first == answer) - (comparison.second == answer)
        winner: Winner = "A" if lead > 0 else "B" if lead < 0 else "tie"
        probability = {"A": 1.0, "tie": 0.5, "B": 0.0}[winner]
        return Judgment(winner, probability, Orders(probability, probability), consistent=True, label_mass=1.0)
