"""The report of a judge: its figures on each set, by category, and how far its probabilities can be trusted."""

import re
from collections.abc import Mapping

from selfjudge_training.evaluation import plots
from selfjudge_training.evaluation.judge.judge_figures import JudgeEvaluation
from selfjudge_training.evaluation.report import Plot, Report, Table
from selfjudge_training.evaluation.statistics import Figures

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


def judge_report(judge: str, sets: Mapping[str, JudgeEvaluation], setting: Mapping[str, object]) -> Report:
    """The report of one judge on several sets."""
    report = Report(f"{judge} as a judge", setting)
    judgments, calibrations = Table("Judgments", NOTE, []), Table("Calibration", CALIBRATION_NOTE, [])
    report.tables += [judgments, calibrations]
    for name, (overall, by_category, calibration) in sets.items():
        slug = re.sub(r"\W+", "-", name.lower()).strip("-")
        rows = {category: _row(figures) for category, figures in by_category.items()}
        report.results[name] = {"overall": _row(overall), "by_category": rows, "calibration": calibration}
        report.summary.append(_sentence(name, overall))
        judgments.rows.append({"set": name, **_row(overall)})
        calibrations.rows.append({"set": name, "ECE": calibration.expected_error, "Brier score": calibration.brier})
        caption = f"{name}: how often the judge is right, by how sure it is"
        report.plots.append(Plot(f"reliability-{slug}", caption, plots.reliability(calibration, name)))
        if rows:
            listed = [{"category": category, **row} for category, row in rows.items()]
            report.tables.append(Table(f"{name}, by category", CATEGORIES_NOTE, listed))
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
