"""From answers to figures, and what must hold of them."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from statistics import median
from typing import Final, NamedTuple

from loadtests.report import Quantiles
from loadtests.swaps.askers import Answer

P99_RATIO: Final = 1.5
MEMORY_RATIO: Final = 1.05
"""Of memory after all over that after the first phase."""
SAME_READING: Final = 1e-4
"""Difference between two reads of one judgment in batches of other sizes."""


class Held(NamedTuple):
    """What an idle server holds."""

    memory_mib: float
    loaded: int
    """Adapters in the engine."""
    listed: int
    """Versions that it says are loaded."""
    leases: int
    """Requests that hold a version."""
    cache_usage: float
    """Share of the cache's blocks that requests hold."""


class Phase(NamedTuple):
    """What clients were told, and what the server held after it."""

    name: str
    answers: list[Answer]
    seconds: float
    swaps: list[float]
    """Seconds that each activation took."""
    held: Held


class Reread(NamedTuple):
    """One reported judgment: how far from it the version it is said to be by reads now, and how far another one."""

    own: float
    other: float


class Figures(NamedTuple):
    """One phase."""

    name: str
    requests: int
    per_second: float
    latency: Quantiles
    failed: int
    untrue: int
    """Answers whose header and body name different versions, or none of ours."""
    mixed: int
    """Answers with a character that the named version doesn't write."""
    versions: int
    """Versions that answered."""


class Check(NamedTuple):
    """A requirement and what was found."""

    name: str
    holds: bool
    found: str


def figures(phase: Phase, alphabets: Mapping[str, str]) -> Figures:
    """Those of one phase; alphabets by the versions' names."""
    good = [answer for answer in phase.answers if answer.status == HTTPStatus.OK]
    return Figures(
        phase.name,
        len(phase.answers),
        len(phase.answers) / phase.seconds,
        Quantiles.of(answer.seconds for answer in phase.answers),
        len(phase.answers) - len(good),
        sum(answer.named != answer.header or answer.named not in alphabets for answer in good),
        sum(_mixes(answer, alphabets) for answer in good),
        len({answer.named for answer in good}),
    )


def check(phases: Sequence[Phase], found: Sequence[Figures], reread: Sequence[Reread]) -> list[Check]:
    """Whether all is as it must be."""
    before, swaps, after = phases
    quiet = Quantiles.of(answer.seconds for phase in (before, after) for answer in phase.answers)
    ratio = found[1].latency.p99 / quiet.p99
    failed, untrue, mixed = (sum(getattr(one, name) for one in found) for name in ("failed", "untrue", "mixed"))
    return [
        Check("no request fails", not failed, f"{failed} failed"),
        Check("every answer names one version", not untrue, f"{untrue} do not"),
        Check("no answer mixes versions", not mixed, f"{mixed} do"),
        _same_judge(reread),
        Check(f"p99 within {P99_RATIO} of that without swaps", ratio <= P99_RATIO, f"{ratio:.2f}"),
        *_nothing_stays(before.held, swaps.held, after.held),
    ]


def _mixes(answer: Answer, alphabets: Mapping[str, str]) -> bool:
    alphabet = set(alphabets.get(answer.named, ""))
    return any(not text or not set(text) <= alphabet for text in answer.texts)


def _same_judge(reread: Sequence[Reread]) -> Check:
    worst = max((one.own for one in reread), default=float("inf"))
    other = median(one.other for one in reread) if reread else float("nan")
    return Check(
        "judgments are the named version's",
        worst <= SAME_READING < other,
        f"{len(reread)} judgments read again: at most {worst:.1e} apart; by another version {other:.1e} (median)",
    )


def _nothing_stays(before: Held, swaps: Held, after: Held) -> list[Check]:
    memory = ", ".join(f"{one.memory_mib:.0f} MiB" for one in (before, swaps, after))
    return [
        Check(
            f"memory within {MEMORY_RATIO:g} of what it was",
            after.memory_mib <= MEMORY_RATIO * before.memory_mib,
            memory,
        ),
        Check(
            "as many adapters in the engine as before",
            after.loaded == after.listed == before.loaded,
            f"{before.loaded}, {swaps.loaded}, {after.loaded}",
        ),
        Check("no version is leased", not after.leases, f"{swaps.leases}, {after.leases}"),
        Check("no cache block is held", not after.cache_usage, f"{after.cache_usage:.1%}"),
    ]
