"""The plots of reports; bars and bands are 95% intervals."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from selfjudge_training.evaluation.judge.calibration import Calibration
from selfjudge_training.evaluation.statistics import Estimate, Figures

GREEN, RED, GREY = "#0b6e4f", "#c8553d", "#888888"

LABELS = {
    "place_a": "P(A)",
    "chosen_shorter": "chosen is shorter",
    "length": "length, characters",
    "baseline_length": "its length",
    "repetition": "4-gram repetition",
    "expected_error": "ECE",
    "brier": "Brier score",
}


def label(name: str) -> str:
    """What tables and plots call a figure, by its name in the JSON file."""
    return LABELS.get(name, name.replace("_", " "))


def by_category(rows: Mapping[str, Figures], names: Sequence[str], title: str, chance: float | None = 0.5) -> Figure:
    """Figures by category: for each of ``names`` a colour, for each category a row."""
    figure = Figure(figsize=(7, 1.2 + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for number, (name, colour) in enumerate(zip(names, (GREEN, RED), strict=False)):
        estimates = [figures[name] for figures in rows.values()]
        offset = 0.12 * (2 * number - len(names) + 1)
        axes.errorbar(
            [one.mean for one in estimates],
            [row - offset for row in range(len(rows))],
            xerr=_reach(estimates),
            fmt="o",
            color=colour,
            capsize=3,
            label=label(name),
        )
    if chance is not None:
        axes.axvline(chance, color=GREY, ls="--", lw=1)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set(xlim=(-0.02, 1.02), title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    return figure


def reliability(calibration: Calibration, title: str) -> Figure:
    """Accuracy against confidence, with how many comparisons have which confidence below."""
    figure = Figure(figsize=(5, 5.5), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=[4, 1])
    above.plot([0.5, 1], [0.5, 1], "--", color=GREY, label="calibrated")
    bins = calibration.bins
    accuracy = [one.accuracy for one in bins]
    above.errorbar(
        [one.confidence for one in bins],
        [one.mean for one in accuracy],
        yerr=_reach(accuracy),
        fmt="o-",
        color=GREEN,
        capsize=3,
        label="judge",
    )
    above.set(ylabel="accuracy", ylim=(0, 1.02), title=title)
    above.legend(loc="lower right")
    width = bins[0].high - bins[0].low
    below.bar([one.low for one in bins], [one.observations for one in accuracy], width, align="edge", color=GREEN)
    below.set(xlabel="confidence in the own choice", ylabel="comparisons", xlim=(0.49, 1.01))
    for axes in (above, below):
        axes.grid(alpha=0.3)
    return figure


def over_n(points: Mapping[int, Figures], title: str) -> Figure:
    """Figure 4: win rate, mean length and 4-gram repetition over N, and exact match where it is known."""
    sizes, known = list(points), next(iter(points.values()))
    curves = [name for name in ("exact_match", "win_rate", "length", "repetition") if name in known]
    figure = Figure(figsize=(3.6 * len(curves), 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(curves)), curves, strict=True):
        estimates = [figures[name] for figures in points.values()]
        axes.plot(sizes, [one.mean for one in estimates], "o-", color=GREEN)
        low, high = [one.low for one in estimates], [one.high for one in estimates]
        axes.fill_between(sizes, low, high, color=GREEN, alpha=0.15, lw=0)
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set(xlabel="N", title=label(name))
        if not any(high):
            axes.set_ylim(0, 1)  # all zero: no scale of its own
        axes.grid(alpha=0.3)
    figure.suptitle(title)
    return figure


def _reach(estimates: Sequence[Estimate]) -> tuple[list[float], list[float]]:
    """Distances of the bounds from the mean; a resampled interval may just miss it, which a bar can't show."""
    return [max(0.0, one.mean - one.low) for one in estimates], [max(0.0, one.high - one.mean) for one in estimates]
