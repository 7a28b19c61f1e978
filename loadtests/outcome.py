"""What is measured: one tournament, and one cell's tournaments by one contender."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from loadtests.workload import Cell, Job


class Outcome(NamedTuple):
    """One tournament as its caller sees it. Judge tokens are prompt tokens, the cached among them."""

    seconds: float
    winner: int
    sampled_tokens: int
    judgments: int
    judge_tokens: int
    cached_tokens: int


class Run(NamedTuple):
    """All tournaments of a cell, in the order of its jobs."""

    seconds: float
    outcomes: list[Outcome]


class Contender(Protocol):
    """Somebody who can hold a tournament."""

    name: str

    async def hold(self, job: Job, best_of_n: int) -> Outcome:
        """Sample `best_of_n` candidates and find the best."""
        ...

    async def forget(self) -> None:
        """Empty the prefix cache, so that nobody profits from who came before."""
        ...


class Measured(NamedTuple):
    """One round of one cell: a run by each contender."""

    cell: Cell
    round: int
    runs: dict[str, Run]


def latencies(run: Run) -> list[float]:
    """Seconds from request to answer, sorted."""
    return sorted(outcome.seconds for outcome in run.outcomes)


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)
