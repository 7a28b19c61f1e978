"""What any judge says of two responses, and the simplest judge: the one that has the answer key."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from selfjudge import Comparison, Conversation, Orders, Verdict, Winner

POINTS: Mapping[Winner, float] = {"A": 1.0, "tie": 0.5, "B": 0.0}


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

    @classmethod
    def of(cls, verdict: Verdict, *, cut: bool = False) -> "Judgment":
        """What a verdict says."""
        return cls(verdict.winner, verdict.probability_a, verdict.orders, verdict.consistent, verdict.label_mass, cut)

    @classmethod
    def certain(cls, winner: Winner) -> "Judgment":
        """Without a doubt, whatever the order."""
        return cls(winner, POINTS[winner], Orders(POINTS[winner], POINTS[winner]), consistent=True, label_mass=1.0)

    @property
    def points(self) -> float:
        """What the first response gets: 1 for a win, half for a tie, 0 for a loss."""
        return POINTS[self.winner]


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
        return [self._verdict(*comparison) for comparison in comparisons]

    def _verdict(self, conversation: Conversation, first: str, second: str) -> Judgment:
        answer = self._answers[conversation if isinstance(conversation, str) else conversation[-1]["content"]]
        lead = (first == answer) - (second == answer)
        return Judgment.certain("A" if lead > 0 else "B" if lead < 0 else "tie")
