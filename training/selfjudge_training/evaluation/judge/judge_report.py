"""What a judge is worth on preference pairs, by category, and how far its probabilities can be trusted.

Every figure is over pairs, its interval over prompts.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from selfjudge import Comparison
from selfjudge_training.data.records import PreferencePair
from selfjudge_training.evaluation import plots
from selfjudge_training.evaluation.judge.calibration import Calibration, calibrate
from selfjudge_training.evaluation.judges import Judge, Judgment
from selfjudge_training.evaluation.report import Plot, Report, Table
from selfjudge_training.evaluation.statistics import Figures, rates, rates_by_category

NOTE = (
    "Accuracy: share of pairs whose chosen response wins, a tie counting half. Position consistency: share with the "
    "same winner in both orders; flip rate: share whose winner changes with the order. P(A): preference for place A, "
    "1/2 without position bias. Label mass: how much of the judge's answer was a choice. Cut: share of pairs whose "
    "texts were cut to fit the judge's context. Picks shorter: how often the judge takes the shorter response; chosen "
    "is shorter: how often that is right, the score of a judge that sees only length."
)
CALIBRATION_NOTE = (
    "ECE: expected calibration error over ten bins of confidence, above 0 by chance alone on small sets. "
    "Brier score: 1/4 for a judge that always says 1/2."
)
CATEGORIES_NOTE = "The same figures for each category of the set."


class JudgeEvaluation(NamedTuple):
    """A judge on one set; `NOTE` says what the figures are."""

    overall: Figures
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
        judgments |= zip(numbers, judge(asked, principle), strict=True)
    return [judgments[number] for number in range(len(pairs))]


def _chosen_shorter(pair: PreferencePair) -> float:
    lead = len(pair.rejected) - len(pair.chosen)
    return 0.5 if lead == 0 else float(lead > 0)


def judge_report(judge: str, sets: Mapping[str, JudgeEvaluation], setting: dict[str, object]) -> Report:
    """The report of one judge on several sets."""
    report = Report(f"{judge} as a judge", setting)
    judgments: dict[str, dict[str, object]] = {}
    scores: dict[str, Figures] = {}
    report.tables += [Table("Judgments", NOTE, "set", judgments), Table("Calibration", CALIBRATION_NOTE, "set", scores)]
    for name, (overall, by_category, calibration) in sets.items():
        slug = re.sub(r"\W+", "-", name.lower()).strip("-")
        judgments[name] = _row(overall)
        scores[name] = {"expected_error": calibration.expected_error, "brier": calibration.brier}
        rows = {category: _row(figures) for category, figures in by_category.items()}
        report.results[name] = {"overall": judgments[name], "by_category": rows, "calibration": calibration}
        report.summary.append(_sentence(name, overall))
        caption = f"{name}: how often the judge is right, by how sure it is"
        report.plots.append(Plot(f"reliability-{slug}", caption, plots.reliability(calibration, name)))
        if rows:
            report.tables.append(Table(f"{name}, by category", CATEGORIES_NOTE, "category", rows))
            drawn = plots.by_category(by_category, ["accuracy", "position_consistency"], name)
            report.plots.append(Plot(f"categories-{slug}", f"{name}, by category; dashed: chance", drawn))
    return report


def _row(figures: Figures) -> dict[str, object]:
    return {"pairs": figures["accuracy"].observations, **figures}


def _sentence(name: str, figures: Figures) -> str:
    accuracy, shorter = figures["accuracy"], figures["chosen_shorter"].mean
    chance = "better than chance" if accuracy.low > 0.5 else "no better than chance as far as this set can tell"
    if accuracy.high < 0.5:
        chance = "worse than chance"
    return (
        f"{name}: {accuracy.mean:.1%} of {accuracy.observations:,} pairs are judged right ({accuracy.low:.1%} to "
        f"{accuracy.high:.1%}), {chance}; always taking the {'shorter' if shorter >= 0.5 else 'longer'} response "
        f"would be right in {max(shorter, 1 - shorter):.1%}."
    )
