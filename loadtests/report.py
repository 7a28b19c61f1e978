"""From runs to figures: throughput, ratios within a round, judge tokens, what judging costs, and latencies."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import NamedTuple

from loadtests.outcome import Measured, Run, latencies, mean
from loadtests.workload import Cell


class Spread(NamedTuple):
    """Median over rounds, and the least and greatest."""

    median: float
    low: float
    high: float


class Latency(NamedTuple):
    """Seconds from request to answer, over all rounds."""

    p50: float
    p95: float


class Judging(NamedTuple):
    """What the judge reads for one tournament of the server's, on average."""

    matches: float
    tokens: float
    cached_share: float


class Figures(NamedTuple):
    """All figures of one cell. Throughput is tournaments a second."""

    cell: Cell
    throughput: dict[str, Spread]
    server_over_bound: Spread
    server_over_client: Spread
    server_over_thrifty: Spread
    judging: Judging
    judging_over_sampling: Spread
    """Of the bare engine: time with judging over time without, less 1."""
    latency: dict[str, Latency]
    same_winner: float
    """Share of tournaments in which bound and both clients have one winner; the server samples other candidates."""


def summarise(measured: Sequence[Measured]) -> list[Figures]:
    """The figures of every cell, in the order measured."""
    cells = dict.fromkeys(one.cell for one in measured)
    return [_figures(cell, [one.runs for one in measured if one.cell == cell]) for cell in cells]


def _figures(cell: Cell, rounds: Sequence[dict[str, Run]]) -> Figures:
    names = list(rounds[0])
    return Figures(
        cell=cell,
        throughput={name: _throughput(cell, [runs[name] for runs in rounds]) for name in names},
        server_over_bound=_over(rounds, lambda runs: runs["bound"].seconds / runs["server"].seconds),
        server_over_client=_over(rounds, lambda runs: runs["client"].seconds / runs["server"].seconds),
        server_over_thrifty=_over(rounds, lambda runs: runs["thrifty client"].seconds / runs["server"].seconds),
        judging=_judging([runs["server"] for runs in rounds]),
        judging_over_sampling=_over(rounds, lambda runs: runs["bound"].seconds / runs["sampling"].seconds - 1),
        latency={name: _latency([runs[name] for runs in rounds]) for name in names},
        same_winner=mean([_same_winner(runs) for runs in rounds]),
    )


def _throughput(cell: Cell, runs: Sequence[Run]) -> Spread:
    return _spread([cell.tournaments / run.seconds for run in runs])


def _over(rounds: Iterable[dict[str, Run]], figure: Callable[[dict[str, Run]], float]) -> Spread:
    return _spread([figure(runs) for runs in rounds])


def _spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))


def _judging(runs: Sequence[Run]) -> Judging:
    outcomes = [outcome for run in runs for outcome in run.outcomes]
    tokens = sum(outcome.judge_tokens for outcome in outcomes)
    cached = sum(outcome.cached_tokens for outcome in outcomes)
    return Judging(
        matches=mean([outcome.judgments for outcome in outcomes]),
        tokens=tokens / len(outcomes),
        cached_share=cached / tokens if tokens else 0.0,
    )


def _latency(runs: Sequence[Run]) -> Latency:
    seconds = sorted(second for run in runs for second in latencies(run))
    return Latency(p50=_quantile(seconds, 0.5), p95=_quantile(seconds, 0.95))


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _same_winner(runs: dict[str, Run]) -> float:
    comparable = [run for name, run in runs.items() if name not in ("sampling", "server")]
    winners = [[outcome.winner for outcome in run.outcomes] for run in comparable]
    return mean([float(len(set(each)) == 1) for each in zip(*winners, strict=True)])
