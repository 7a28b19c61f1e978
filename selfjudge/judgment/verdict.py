"""From logprobs of the choice tokens to a verdict over both orders and over principles (section 3.1).

The paper averages the likelihoods of the choice tokens over the two orders; under several principles it takes the win
rate across principles and, where that ties, the mean likelihood across principles. Where these tie too, the verdict is
a tie. Everything is computed from margins, P - 1/2, so that swapping the two responses exactly mirrors the verdict.

Logprobs are not calibrated.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from selfjudge.errors import ReadingError

Winner = Literal["A", "B", "tie"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the judge said to one prompt: natural logs of the choice tokens' probabilities over the full vocabulary."""

    logprob_a: float
    logprob_b: float

    def __post_init__(self) -> None:
        """Raises ReadingError for NaN and for more than rounding above zero."""
        if not all(value <= 1e-3 for value in (self.logprob_a, self.logprob_b)):
            raise ReadingError(
                f"logprobs must be numbers of at most 0, not {self.logprob_a} for A and {self.logprob_b} for B; "
                "do the model's weights or activations hold NaN?"
            )

    @property
    def margin(self) -> float:
        """How far the judge leans to place A, from -1/2 to 1/2; 0 where it gives neither letter any probability."""
        if self.logprob_a == self.logprob_b:
            return 0.0
        return 0.5 * math.tanh((self.logprob_a - self.logprob_b) / 2)

    @property
    def preference(self) -> float:
        """P(the response at place A is better), the two letters renormalised: sigmoid(logprob_a - logprob_b)."""
        return 0.5 + self.margin

    @property
    def label_mass(self) -> float:
        """P(A) + P(B): how much of the judge's next token was an answer to the question. A health signal."""
        return math.exp(self.logprob_a) + math.exp(self.logprob_b)


class Orders(NamedTuple):
    """P(the first response is better), by the place where it stood."""

    first_at_a: float
    first_at_b: float


def outcome(margins: Sequence[float]) -> Winner:
    """The winner under several principles, each given by P(first is better) - 1/2: win rate, then mean likelihood."""
    wins = sum(margin > 0 for margin in margins) - sum(margin < 0 for margin in margins)
    lead = wins or math.fsum(margins)
    return "A" if lead > 0 else "B" if lead < 0 else "tie"


@dataclass(frozen=True, slots=True)
class PrincipleVerdict:
    """Two responses compared in both orders under one principle, or under none."""

    principle: str | None
    first_at_a: Reading
    first_at_b: Reading

    @property
    def orders(self) -> Orders:
        """P(the first response is better) in each order."""
        return Orders(0.5 + self.first_at_a.margin, 0.5 - self.first_at_b.margin)

    @property
    def margin(self) -> float:
        """P(the first response is better) - 1/2, averaged over both orders."""
        return (self.first_at_a.margin - self.first_at_b.margin) / 2

    @property
    def probability_a(self) -> float:
        """P(the first response is better), averaged over both orders."""
        return 0.5 + self.margin

    @property
    def winner(self) -> Winner:
        """A: the first response; B: the second."""
        return outcome([self.margin])

    @property
    def consistent(self) -> bool:
        """Whether both orders say the same."""
        return outcome([self.first_at_a.margin]) == outcome([-self.first_at_b.margin])

    @property
    def label_mass(self) -> float:
        """P(A) + P(B), averaged over both orders."""
        return (self.first_at_a.label_mass + self.first_at_b.label_mass) / 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """Two responses compared in both orders under one principle or several."""

    winner: Winner
    """A: the first response; B: the second. Under several principles it may go against `probability_a`."""

    probability_a: float
    """P(the first response is better), averaged over both orders and all principles."""

    orders: Orders
    """The same for each order alone, averaged over principles."""

    consistent: bool
    """Position consistency: each order alone, by the same rule, has the same winner."""

    label_mass: float
    """P(A) + P(B), averaged over all readings."""

    win_rate: float
    """Share of the principles under which the first response wins, a tie counting half."""

    principles: tuple[PrincipleVerdict, ...]

    @classmethod
    def of(cls, principles: Iterable[PrincipleVerdict]) -> "Verdict":
        """The verdict of one comparison under each principle. Raises ReadingError where there is none."""
        each = tuple(principles)
        if not each:
            raise ReadingError("a verdict needs the readings of at least one principle")
        at_a = [one.first_at_a.margin for one in each]
        at_b = [-one.first_at_b.margin for one in each]
        margins = [one.margin for one in each]
        points = [{"A": 1.0, "B": 0.0, "tie": 0.5}[one.winner] for one in each]
        return cls(
            winner=outcome(margins),
            probability_a=0.5 + _mean(margins),
            orders=Orders(0.5 + _mean(at_a), 0.5 + _mean(at_b)),
            consistent=outcome(at_a) == outcome(at_b),
            label_mass=_mean([one.label_mass for one in each]),
            win_rate=_mean(points),
            principles=each,
        )

    def swapped(self) -> "Verdict":
        """The verdict as it is with the two responses given the other way round: both orders were read anyway."""
        return Verdict.of(PrincipleVerdict(one.principle, one.first_at_b, one.first_at_a) for one in self.principles)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
