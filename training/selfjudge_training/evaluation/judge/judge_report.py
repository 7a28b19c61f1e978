"""The report of a judge: its figures on each set, by category, and how far its probabilities can be trusted."""

import re
from collections.abc import Mapping

from matplotlib.figure import Figure

from selfjudge_training.evaluation.judge.calibration import Calibration
from selfjudge_training.evaluation.judge.judge_figures import Agreement, JudgeEvaluation
from selfjudge_training.evaluation.plots import GREEN, GREY, by_category, reach
from selfjudge_training.evaluation.report import Plot, Report, Table

COLUMNS = (
    "set", "pairs", "accuracy", "position consistency", "flip rate", "P(A)", "ties", "label mass", "cut",
    "picks shorter", "chosen is shorter",
)  # fmt: skip

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


def judge_report(judge: str, sets: Mapping[str, JudgeEvaluation], setting: Mapping[str, object]) -> Report:
    """The report of one judge on several sets."""
    return Report(
        title=f"{judge} as a judge",
        summary=[_sentence(name, result.overall) for name, result in sets.items()],
        setting=setting,
        tables=[
            Table("Judgments", NOTE, COLUMNS, [(name, *result.overall) for name, result in sets.items()]),
            Table(
                "Calibration",
                CALIBRATION_NOTE,
                ("set", "ECE", "Brier score"),
                [(name, one.calibration.expected_error, one.calibration.brier) for name, one in sets.items()],
            ),
            *(
                Table(
                    f"{name}, by category",
                    "The same figures for each category of the set.",
                    ("category", *COLUMNS[1:]),
                    [(category, *figures) for category, figures in result.by_category.items()],
                )
                for name, result in sets.items()
                if result.by_category
            ),
        ],
        plots=[plot for name, result in sets.items() for plot in _plots(name, result)],
        results=sets,
    )


def _sentence(name: str, figures: Agreement) -> str:
    accuracy, shorter = figures.accuracy, figures.chosen_shorter.mean
    chance = "better than chance" if accuracy.low > 0.5 else "no better than chance as far as this set can tell"
    if accuracy.high < 0.5:
        chance = "worse than chance"
    return (
        f"{name}: {accuracy.mean:.1%} of {figures.pairs:,} pairs are judged right ({accuracy.low:.1%} to "
        f"{accuracy.high:.1%}), {chance}; always taking the {'shorter' if shorter >= 0.5 else 'longer'} response "
        f"would be right in {max(shorter, 1 - shorter):.1%}."
    )


def _plots(name: str, result: JudgeEvaluation) -> list[Plot]:
    slug = re.sub(r"\W+", "-", name.lower()).strip("-")
    diagram = reliability_diagram(result.calibration, name)
    plots = [Plot(f"reliability-{slug}", f"{name}: how often the judge is right, by how sure it is", diagram)]
    if result.by_category:
        curves = {
            "accuracy": {key: one.accuracy for key, one in result.by_category.items()},
            "position consistency": {key: one.position_consistency for key, one in result.by_category.items()},
        }
        plots.append(Plot(f"categories-{slug}", f"{name}, by category; dashed: chance", by_category(curves, name)))
    return plots


def reliability_diagram(calibration: Calibration, title: str) -> Figure:
    """Accuracy against confidence, with how many comparisons have which confidence below."""
    figure = Figure(figsize=(5, 5.5), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=[4, 1])
    above.plot([0.5, 1], [0.5, 1], "--", color=GREY, label="calibrated")
    bins = calibration.bins
    accuracy = [one.accuracy for one in bins]
    above.errorbar(
        [one.confidence for one in bins],
        [one.mean for one in accuracy],
        yerr=reach(accuracy),
        fmt="o-",
        color=GREEN,
        capsize=3,
        label="judge",
    )
    above.set(ylabel="accuracy", ylim=(0, 1.02), title=title)
    above.legend(loc="lower right")
    width = bins[0].high - bins[0].low
    below.bar([one.low for one in bins], [one.accuracy.observations for one in bins], width, align="edge", color=GREEN)
    below.set(xlabel="confidence in the own choice", ylabel="comparisons", xlim=(0.49, 1.01))
    for axes in (above, below):
        axes.grid(alpha=0.3)
    return figure
