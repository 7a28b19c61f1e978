"""What every way of picking the best of N by pairwise matches has in common: matches and results.

Subclasses pair the candidates (tournament.py, round_robin.py).
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

from typing_extensions import override

from selfjudge.errors import TournamentError
from selfjudge.judgment.verdict import Winner
from selfjudge.selection.method import SelectionMethod

Reason = Literal["judged", "identical", "repeated", "constraint", "unreadable", "walkover", "pending"]


@dataclass(frozen=True, slots=True)
class Match:
    """A match to be judged. `first` has the lower bracket position, and advances from a tie."""

    first: int
    second: int
    place: int
    """What it is about: 1 the title, 2 the second place, and so on."""
    round: int
    """From 1, the first round, to ceil(log2 N), the final; a match for a lower place has that of its node."""


@dataclass(frozen=True, slots=True)
class Record:
    """One match of a contest as data, decided or not."""

    place: int
    round: int
    first: int
    second: int | None
    """None: the other side failed, and `first` advances by walkover."""
    outcome: Winner | None
    """A: the first; B: the second; "tie": equal, and the first advances; None: not judged, or not yet."""
    probability_a: float | None
    """P(first is better), averaged over both orders; None where it was not judged."""
    winner: int | None
    """The candidate that advances; None while pending."""
    reason: Reason


class Contest(SelectionMethod):
    """Picks the best by matches. Of two demoted candidates a judge decides; else who keeps the form wins unjudged."""

    def __init__(self, n: int, *, seed: int, top: int = 1) -> None:
        super().__init__(n, seed=seed, top=top)
        self._queue: list[Match] = []
        self._issued: dict[tuple[int, int], Match] = {}
        self._decided: dict[tuple[int, int], Record] = {}

    def ready(self) -> list[Match]:
        """The matches that can be judged now and were not handed out before."""
        matches, self._queue = self._queue, []
        return matches

    def report(
        self,
        match: Match,
        outcome: Winner,
        probability_a: float,
        reason: Literal["judged", "identical", "repeated"] = "judged",
    ) -> None:
        """The outcome of a match that `ready` handed out: A, its first candidate won; B, its second; or a tie.

        `identical` is the reason of a tie between equal texts, which need no judge, and `repeated` that of a verdict on
        two texts that met before as other candidates. Raises TournamentError for a match that was not handed out, or
        was reported before.
        """
        self._decide(match, outcome, probability_a, match.second if outcome == "B" else match.first, reason)

    def leave_open(self, match: Match) -> None:
        """No verdict can be had on a match: the candidate with more wins advances, and where that ties, the first.

        Raises as `report`.
        """
        self._decide(match, None, None, min(match.first, match.second, key=self._merit), "unreadable")

    def _decide(
        self, match: Match, outcome: Winner | None, probability_a: float | None, winner: int, reason: Reason
    ) -> None:
        pair = (match.first, match.second)
        if self._issued.get(pair) != match or match in self._queue:
            raise TournamentError(f"{match} was not handed out")
        if pair in self._decided:
            raise TournamentError(f"{match} was reported before")
        self._decided[pair] = Record(
            match.place, match.round, match.first, match.second, outcome, probability_a, winner, reason
        )
        self._advance()

    def _meet(self, first: int, second: int, place: int, round_: int) -> Record | None:
        """The record of two candidates' match; where there is none, it is decided or queued, once."""
        pair = (first, second)
        if pair not in self._issued:
            self._issued[pair] = match = Match(first, second, place, round_)
            if (first in self._demoted) == (second in self._demoted):
                self._queue.append(match)
            else:
                outcome: Winner = "B" if first in self._demoted else "A"
                winner = second if outcome == "B" else first
                self._decided[pair] = Record(place, round_, first, second, outcome, None, winner, "constraint")
        return self._decided.get(pair)

    def standing(self) -> list[int]:
        """Every candidate that has arrived, best so far first: the ranking, then the unbeaten, then by matches won.

        Those that are demoted come behind all others. What this leaves open is decided by bracket position. For answers
        at a deadline; a finished contest's `ranking` is the beginning of it.
        """
        ranking = self.ranking()
        rest = sorted(self._arrived.difference(ranking), key=self._merit)
        return ranking + rest

    def _merit(self, candidate: int) -> tuple[bool, bool, int, int]:
        read = [(pair, record) for pair, record in self._decided.items() if record.reason != "unreadable"]
        played = [record for pair, record in read if candidate in pair]
        won = sum(record.winner == candidate for record in played)
        return candidate in self._demoted, won < len(played), -won, self._position[candidate]

    def _open_records(self) -> list[Record]:
        """Matches that are known but not decided."""
        return [
            Record(match.place, match.round, match.first, match.second, None, None, None, "pending")
            for pair, match in self._issued.items()
            if pair not in self._decided
        ]

    @override
    def ranked(self) -> list[int]:
        """The best `top` so far."""
        return self.standing()[: self.top]

    @abstractmethod
    def ranking(self) -> list[int]:
        """The best candidates in order, as far as they are decided; fewer than `top` where too many failed."""

    @abstractmethod
    def records(self) -> list[Record]:
        """All matches so far as data: decided, walked over, and known but pending."""
