"""What a judge is worth on preference pairs; every figure is over pairs, its interval over prompts."""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from selfjudge import Comparison
from selfjudge_training.data.records import PreferencePair
from selfjudge_training.evaluation.judge.calibration import Calibration, calibrate
from selfjudge_training.evaluation.judges.judgment import Judge, Judgment
from selfjudge_training.evaluation.statistics import Estimate, rate


class Agreement(NamedTuple):
    """A judge on a set of pairs, or on one category of it; everything but `pairs` with its 95% interval."""

    pairs: int
    accuracy: Estimate
    """Share of pairs whose chosen response wins, a tie counting half, so that chance is 1/2 for every judge."""
    position_consistency: Estimate
    """Share of pairs with the same winner in both orders."""
    flip_rate: Estimate
    """Share of pairs whose winner is the other response once the order is swapped: position decides these."""
    place_a: Estimate
    """P(the response at place A is better), averaged over both orders: 1/2 without position bias."""
    ties: Estimate
    label_mass: Estimate
    cut: Estimate
    """Share of pairs whose texts were cut to fit the judge's context."""
    picks_shorter: Estimate
    """Share of pairs whose shorter response wins, a tie or equal lengths counting half."""
    chosen_shorter: Estimate
    """Share of pairs whose chosen response is the shorter one: the accuracy of preferring what is short."""


class JudgeEvaluation(NamedTuple):
    """A judge on one set."""

    overall: Agreement
    by_category: dict[str, Agreement]
    """Empty where all pairs are of one category."""
    calibration: Calibration


class _Judged(NamedTuple):
    pair: PreferencePair
    judgment: Judgment
    """Of the chosen response, first, against the rejected one."""
    prompt: str


def evaluate_judge(judge: Judge, pairs: Sequence[PreferencePair]) -> JudgeEvaluation:
    """Judge every pair, under its own principle where it has one. Raises ValueError where there is no pair."""
    if not pairs:
        raise ValueError("a judge can't be evaluated without a preference pair")
    rows = _judge(judge, pairs)
    categories = sorted({pair.category for pair in pairs})
    by_category = {name: _agreement([row for row in rows if row.pair.category == name]) for name in categories}
    return JudgeEvaluation(
        _agreement(rows),
        by_category if len(categories) > 1 else {},
        calibrate([row.judgment.probability_a for row in rows], [row.prompt for row in rows]),
    )


def _judge(judge: Judge, pairs: Sequence[PreferencePair]) -> list[_Judged]:
    """Every pair with its judgment, in the order given."""
    rows: dict[int, _Judged] = {}
    for principle in dict.fromkeys(pair.principle for pair in pairs):
        numbers = [number for number, pair in enumerate(pairs) if pair.principle == principle]
        asked = [Comparison(pairs[n].conversation, pairs[n].chosen, pairs[n].rejected) for n in numbers]
        for number, judgment in zip(numbers, judge.verdicts(asked, principle), strict=True):
            pair = pairs[number]
            rows[number] = _Judged(pair, judgment, json.dumps(pair.conversation))
    return [rows[number] for number in range(len(pairs))]


def _agreement(rows: Sequence[_Judged]) -> Agreement:
    prompts = [row.prompt for row in rows]
    judgments = [row.judgment for row in rows]

    def share(of: Callable[[Judgment], float]) -> Estimate:
        return rate([float(of(judgment)) for judgment in judgments], prompts)

    return Agreement(
        pairs=len(rows),
        accuracy=share(lambda one: one.points),
        position_consistency=share(lambda one: one.consistent),
        flip_rate=share(_flips),
        place_a=share(lambda one: (one.orders.first_at_a + 1 - one.orders.first_at_b) / 2),
        ties=share(lambda one: one.winner == "tie"),
        label_mass=share(lambda one: one.label_mass),
        cut=share(lambda one: one.cut),
        picks_shorter=rate([_picks_shorter(row) for row in rows], prompts),
        chosen_shorter=rate([_chosen_shorter(row.pair) for row in rows], prompts),
    )


def _chosen_shorter(pair: PreferencePair) -> float:
    lead = len(pair.rejected) - len(pair.chosen)
    return 0.5 if lead == 0 else float(lead > 0)


def _picks_shorter(row: _Judged) -> float:
    shorter, points = _chosen_shorter(row.pair), row.judgment.points
    return shorter * points + (1 - shorter) * (1 - points)


def _flips(judgment: Judgment) -> bool:
    return (judgment.orders.first_at_a - 0.5) * (judgment.orders.first_at_b - 0.5) < 0
