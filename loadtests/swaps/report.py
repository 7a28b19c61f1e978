"""From answers to figures and the checks that they must pass."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from statistics import median, quantiles
from typing import Final, NamedTuple

from loadtests.swaps.costs import Round
from loadtests.swaps.load import Answer
from loadtests.swaps.scenario import Measured, Phase, Reread
from loadtests.swaps.versions import POLICY, Version

P99_RATIO: Final = 1.5
MEMORY_RATIO: Final = 1.05
"""Of memory after all over that after the first phase."""
SAME_READING: Final = 1e-4
"""Difference between two reads of one judgment in batches of other sizes."""


class Figures(NamedTuple):
    """One phase. Seconds are those of requests."""

    name: str
    requests: int
    per_second: float
    p50: float
    p95: float
    p99: float
    failed: int
    untrue: int
    """Answers whose header and body name different versions, or none of ours."""
    mixed: int
    """Answers with a character that the named version doesn't write."""
    versions: int
    """Versions that answered."""
    swaps: int
    swap_median: float
    swap_max: float


class Check(NamedTuple):
    """A requirement and what was found."""

    name: str
    holds: bool
    found: str


class Mixed(NamedTuple):
    """A text with a character that its version doesn't write."""

    phase: str
    version: str
    alphabet: str
    prompt: str
    text: str


class Report(NamedTuple):
    """Everything there is to tell."""

    figures: list[Figures]
    mixed: list[Mixed]
    checks: list[Check]
    rounds: list[Round]
    p99_ratio: float


def summarise(measured: Measured, versions: Sequence[Version], rounds: Sequence[Round]) -> Report:
    """Figures of all phases, and whether they are as they must be."""
    alphabets = {f"{POLICY}@{one.name}": one.alphabet for one in versions}
    figures = [_figures(phase, alphabets) for phase in measured.phases]
    before, swaps, after = measured.phases
    quiet = _p99([answer.seconds for phase in (before, after) for answer in phase.answers])
    ratio = figures[1].p99 / quiet
    checks = [
        Check("no request fails", not _sum(figures, "failed"), f"{_sum(figures, 'failed')} failed"),
        Check("every answer names one version", not _sum(figures, "untrue"), f"{_sum(figures, 'untrue')} do not"),
        Check("no answer mixes versions", not _sum(figures, "mixed"), f"{_sum(figures, 'mixed')} do"),
        _same_judge(measured.reread),
        Check(f"p99 within {P99_RATIO} of that without swaps", ratio <= P99_RATIO, f"{ratio:.2f}"),
        *_held(before, swaps, after),
    ]
    mixed = [one for phase in measured.phases for answer in phase.answers for one in _mixed(phase, answer, alphabets)]
    return Report(figures, mixed, checks, list(rounds), ratio)


def _figures(phase: Phase, alphabets: Mapping[str, str]) -> Figures:
    good = [answer for answer in phase.answers if answer.status == HTTPStatus.OK]
    seconds = [answer.seconds for answer in phase.answers]
    cuts = quantiles(seconds, n=100)
    return Figures(
        phase.name,
        len(phase.answers),
        len(phase.answers) / phase.seconds,
        cuts[49],
        cuts[94],
        cuts[98],
        len(phase.answers) - len(good),
        sum(answer.named != answer.header or answer.named not in alphabets for answer in good),
        sum(any(_mixed(phase, answer, alphabets)) for answer in good),
        len({answer.named for answer in good}),
        len(phase.swaps),
        median(phase.swaps) if phase.swaps else 0.0,
        max(phase.swaps, default=0.0),
    )


def _mixed(phase: Phase, answer: Answer, alphabets: Mapping[str, str]) -> Iterator[Mixed]:
    alphabet = alphabets.get(answer.named, "")
    for text in dict.fromkeys(answer.texts):
        if not text or not set(text) <= set(alphabet):
            yield Mixed(phase.name, answer.named, alphabet, answer.prompt, text)


def _same_judge(reread: Sequence[Reread]) -> Check:
    worst = max((one.own for one in reread), default=float("inf"))
    other = median(one.other for one in reread) if reread else float("nan")
    return Check(
        "judgments are the named version's",
        worst <= SAME_READING < other,
        f"{len(reread)} judgments read again: at most {worst:.1e} apart; by another version {other:.1e} (median)",
    )


def _held(before: Phase, swaps: Phase, after: Phase) -> list[Check]:
    growth = after.held.memory_mib / before.held.memory_mib
    return [
        Check(
            f"memory within {MEMORY_RATIO:g} of what it was",
            growth <= MEMORY_RATIO,
            ", ".join(f"{one.held.memory_mib:.0f} MiB {one.name}" for one in (before, swaps, after)),
        ),
        Check(
            "as many adapters in the engine as before",
            after.held.loaded == after.held.listed == before.held.loaded,
            f"{before.held.loaded}, {swaps.held.loaded}, {after.held.loaded}",
        ),
        Check("no version is leased by anybody", not after.held.leases, f"{swaps.held.leases}, {after.held.leases}"),
        Check("no cache block is held", not after.held.cache_usage, f"{after.held.cache_usage:.1%}"),
    ]


def _p99(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=100)[98]


def _sum(figures: Sequence[Figures], name: str) -> int:
    return sum(getattr(one, name) for one in figures)
