"""Whether a judge is fit to judge, as far as the comparisons or scores of one selection tell.

It is told to the caller in the answer; the metrics of the judge's health tell the operator more.
"""

from collections.abc import Sequence
from math import comb, fsum
from typing import Any, Final

from selfjudge_service.best_of_n.judging.in_place import Scored
from selfjudge_service.best_of_n.judging.judge import Judged

WARNING_HEADER: Final = "X-Selfjudge-Warning"

_LEAST_LABEL_MASS: Final = 0.8
_FIT: Final = 0.8
"""Position consistency of a judge that is fit: few of those trained for it have less."""
_CHANCE: Final = 0.5
_DOUBT: Final = 0.05


def label_mass(judged: Sequence[Judged | Scored]) -> float | None:
    """The mean over comparisons or scores; None where there was none."""
    return fsum(one.label_mass for one in judged) / len(judged) if judged else None


def match_fitness(judged: Sequence[Judged]) -> dict[str, Any]:
    """Mean label mass and position consistency of comparisons; null where none was judged."""
    consistency = _consistent(judged) / len(judged) if judged else None
    return {"label_mass": label_mass(judged), "position_consistency": consistency}


def match_warnings(judged: Sequence[Judged], unreadable: int) -> list[str]:
    """What a caller should know before trusting a judge that compares.

    Args:
        judged: the comparisons that were judged.
        unreadable: how many gave no verdict.
    """
    told, count, consistent = [], len(judged), _consistent(judged)
    if unreadable:
        told.append(f"{unreadable} of {unreadable + count} comparisons gave no verdict: the judge's answers were NaN")
    told += _mass_warnings(judged, ("A", "B"))
    if _at_chance(consistent, count):
        told.append(f"position_consistency is at chance ({consistent} of {count}): the judge goes by what stands first")
    return told


def score_warnings(scored: Sequence[Scored], unreadable: int, labels: tuple[str, str]) -> list[str]:
    """What a caller should know before trusting a judge that scores.

    Args:
        scored: the reads that gave a score.
        unreadable: how many gave none.
        labels: what the judge is to answer with.
    """
    told = []
    if unreadable:
        told.append(f"{unreadable} of {unreadable + len(scored)} scores were unreadable: the judge's answers were NaN")
    return told + _mass_warnings(scored, labels)


def _mass_warnings(judged: Sequence[Judged | Scored], labels: tuple[str, str]) -> list[str]:
    mass = label_mass(judged)
    if mass is None or mass >= _LEAST_LABEL_MASS:
        return []
    neither = " nor ".join(labels)
    return [f"label_mass is {mass:.2f}: the judge often answers with neither {neither}, as if not trained to judge"]


def header_of(warnings: Sequence[str]) -> dict[str, str]:
    """The header that tells them too: clients drop fields that they don't know."""
    return {WARNING_HEADER: "; ".join(warnings).encode("unicode_escape").decode()} if warnings else {}


def _consistent(judged: Sequence[Judged]) -> int:
    return sum(one.verdict.consistent for one in judged)


def _at_chance(consistent: int, of: int) -> bool:
    """Whether a judge at chance would often do as well, and a fit one hardly ever as badly."""
    as_well = 1 - _at_most(consistent - 1, of, _CHANCE)
    as_badly = _at_most(consistent, of, _FIT)
    return as_well > _DOUBT >= as_badly


def _at_most(successes: int, trials: int, probability: float) -> float:
    return fsum(
        comb(trials, number) * probability**number * (1 - probability) ** (trials - number)
        for number in range(successes + 1)
    )
