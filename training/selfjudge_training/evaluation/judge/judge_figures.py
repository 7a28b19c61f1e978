"""What a judge is worth on preference pairs; every figure is over pairs, its interval over prompts."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from selfjudge import Comparison
from selfjudge_training.data.records import PreferencePair
from selfjudge_training.evaluation.judge.calibration import Calibration, calibrate
from selfjudge_training.evaluation.judges.judgment import Judge, Judgment
from selfjudge_training.evaluation.statistics import Figures, rates, rates_by_category


class JudgeEvaluation(NamedTuple):
    """A judge on one set."""

    overall: Figures
    """By the names in docs/evaluation.md; all are shares of pairs but `place_a` and `label_mass`."""
    by_category: dict[str, Figures]
    """Empty where all pairs are of one category."""
    calibration: Calibration


def evaluate_judge(judge: Judge, pairs: Sequence[PreferencePair]) -> JudgeEvaluation:
    """Judge every pair, under its own principle where it has one. Raises ValueError where there is no pair."""
    if not pairs:
        raise ValueError("a judge can't be evaluated without a preference pair")
    judgments, prompts = _judge(judge, pairs), [json.dumps(pair.conversation) for pair in pairs]
    points = [one.points for one in judgments]
    shorter = [_chosen_shorter(pair) for pair in pairs]
    columns: dict[str, Sequence[float]] = {
        "accuracy": points,
        "position_consistency": [one.consistent for one in judgments],
        "flip_rate": [(one.orders.first_at_a - 0.5) * (one.orders.first_at_b - 0.5) < 0 for one in judgments],
        "place_a": [(one.orders.first_at_a + 1 - one.orders.first_at_b) / 2 for one in judgments],
        "ties": [one.winner == "tie" for one in judgments],
        "label_mass": [one.label_mass for one in judgments],
        "cut": [one.cut for one in judgments],
        "picks_shorter": [s * point + (1 - s) * (1 - point) for s, point in zip(shorter, points, strict=True)],
        "chosen_shorter": shorter,
    }
    return JudgeEvaluation(
        rates(columns, prompts),
        rates_by_category(columns, prompts, [pair.category for pair in pairs]),
        calibrate([one.probability_a for one in judgments], prompts),
    )


def _judge(judge: Judge, pairs: Sequence[PreferencePair]) -> list[Judgment]:
    """Of each pair, in the order given, the chosen response, first, against the rejected one."""
    judgments: dict[int, Judgment] = {}
    for principle in dict.fromkeys(pair.principle for pair in pairs):
        numbers = [number for number, pair in enumerate(pairs) if pair.principle == principle]
        asked = [Comparison(pairs[n].conversation, pairs[n].chosen, pairs[n].rejected) for n in numbers]
        judgments |= zip(numbers, judge.verdicts(asked, principle), strict=True)
    return [judgments[number] for number in range(len(pairs))]


def _chosen_shorter(pair: PreferencePair) -> float:
    lead = len(pair.rejected) - len(pair.chosen)
    return 0.5 if lead == 0 else float(lead > 0)
