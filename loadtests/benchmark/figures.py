"""From runs to figures: throughput, ratios within a round, judge tokens, what judging costs, and latencies."""

from collections.abc import Sequence
from statistics import mean
from typing import Final, NamedTuple

from loadtests.benchmark.contenders import Outcome
from loadtests.report import Quantiles, Spread

OTHERS: Final = ("bound", "client", "thrifty client")
"""What the server is compared with."""
BY_SCORE: Final = "server by score"


class Cell(NamedTuple):
    """One setting that is measured: so many tournaments of `best_of_n`, by so many clients at once."""

    best_of_n: int
    clients: int
    tournaments: int
    prompts: str
    """How long they are, or what they are about."""


class Run(NamedTuple):
    """All tournaments of a cell by one contender, in the order of its jobs."""

    seconds: float
    outcomes: list[Outcome]


class Measured(NamedTuple):
    """One round of one cell: a run by each contender."""

    cell: Cell
    round: int
    runs: dict[str, Run]


class Judging(NamedTuple):
    """What the judge reads for one tournament of the server's, on average."""

    matches: float
    """By score: reads."""
    tokens: float
    cached_share: float


class ByScore(NamedTuple):
    """The server where it finds the best by score."""

    over_tournaments: Spread
    """Its throughput over that with tournaments."""
    judging: Judging
    latency: Quantiles


class Figures(NamedTuple):
    """All figures of one cell. Throughput is tournaments a second."""

    cell: Cell
    throughput: dict[str, Spread]
    server_over: dict[str, Spread]
    """The server's throughput over that of each of the others."""
    judging: Judging
    judging_over_sampling: Spread
    """Of the bare engine: time with judging over time without, less 1."""
    latency: Quantiles
    """Of the server, over all rounds."""
    latency_over_plain: float | None
    """p50 over that of plain answers to as many clients, where these were measured."""
    by_score: ByScore | None
    same_winner: float
    """Share of tournaments in which bound and both clients have one winner; the server samples other candidates."""


def summarise(measured: Sequence[Measured]) -> list[Figures]:
    """The figures of every cell, in the order measured."""
    cells = dict.fromkeys(one.cell for one in measured)
    found = [_figures(cell, [one.runs for one in measured if one.cell == cell]) for cell in cells]
    plain = {(one.cell.clients, one.cell.prompts): one.latency.p50 for one in found if one.cell.best_of_n == 1}
    return [_beside_plain(one, plain.get((one.cell.clients, one.cell.prompts))) for one in found]


def _beside_plain(one: Figures, plain: float | None) -> Figures:
    return one._replace(latency_over_plain=one.latency.p50 / plain if plain else None)


def _figures(cell: Cell, rounds: Sequence[dict[str, Run]]) -> Figures:
    outcomes = [outcome for runs in rounds for outcome in runs["server"].outcomes]
    return Figures(
        cell=cell,
        throughput={name: Spread.of([cell.tournaments / runs[name].seconds for runs in rounds]) for name in rounds[0]},
        server_over={
            name: Spread.of([runs[name].seconds / runs["server"].seconds for runs in rounds]) for name in OTHERS
        },
        judging=_judging(outcomes),
        judging_over_sampling=Spread.of([runs["bound"].seconds / runs["sampling"].seconds - 1 for runs in rounds]),
        latency=Quantiles.of(outcome.seconds for outcome in outcomes),
        latency_over_plain=None,
        by_score=_by_score(rounds),
        same_winner=mean(map(_same_winner, rounds)),
    )


def _by_score(rounds: Sequence[dict[str, Run]]) -> ByScore | None:
    if BY_SCORE not in rounds[0]:
        return None
    outcomes = [outcome for runs in rounds for outcome in runs[BY_SCORE].outcomes]
    return ByScore(
        Spread.of([runs["server"].seconds / runs[BY_SCORE].seconds for runs in rounds]),
        _judging(outcomes),
        Quantiles.of(outcome.seconds for outcome in outcomes),
    )


def _judging(outcomes: Sequence[Outcome]) -> Judging:
    tokens = sum(outcome.judge_tokens for outcome in outcomes)
    cached = sum(outcome.cached_tokens for outcome in outcomes)
    matches = mean(outcome.judgments for outcome in outcomes)
    return Judging(matches, tokens / len(outcomes), cached / tokens if tokens else 0.0)


def _same_winner(runs: dict[str, Run]) -> float:
    winners = [[outcome.winner for outcome in runs[name].outcomes] for name in OTHERS]
    return mean(float(len(set(each)) == 1) for each in zip(*winners, strict=True))
