"""The plots of the reports; a point's bar or band is its 95% interval."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selfjudge_training.evaluation.calibration import Calibration
from selfjudge_training.evaluation.statistics import Estimate
from selfjudge_training.evaluation.sweep import Point

GREEN, RED, GREY = "#0b6e4f", "#c8553d", "#888888"


def reliability_diagram(calibration: Calibration, title: str) -> Figure:
    """Accuracy against confidence, with how many comparisons have which confidence below."""
    figure = Figure(figsize=(5, 5.5), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=[4, 1])
    above.plot([0.5, 1], [0.5, 1], "--", color=GREY, label="calibrated")
    bins = calibration.bins
    _points(above, [one.confidence for one in bins], [one.accuracy for one in bins], GREEN, "judge")
    above.set(ylabel="accuracy", ylim=(0, 1.02), title=title)
    above.legend(loc="lower right")
    width = bins[0].high - bins[0].low
    below.bar([one.low for one in bins], [one.accuracy.observations for one in bins], width, align="edge", color=GREEN)
    below.set(xlabel="confidence in the own choice", ylabel="comparisons", xlim=(0.49, 1.01))
    for axes in (above, below):
        axes.grid(alpha=0.3)
    return figure


def by_category(curves: Mapping[str, Mapping[str, Estimate]], title: str, chance: float | None = 0.5) -> Figure:
    """Shares by category: for each name of ``curves`` a colour, for each category a row."""
    categories = list(next(iter(curves.values())))
    figure = Figure(figsize=(7, 1.2 + 0.45 * len(categories)), layout="constrained")
    axes = figure.subplots()
    offsets = [0.12 * (2 * number - len(curves) + 1) for number in range(len(curves))]
    for (name, shares), offset, colour in zip(curves.items(), offsets, (GREEN, RED), strict=False):
        estimates = [shares[category] for category in categories]
        axes.errorbar(
            [one.mean for one in estimates],
            [row - offset for row in range(len(categories))],
            xerr=_reach(estimates),
            fmt="o",
            color=colour,
            capsize=3,
            label=name,
        )
    if chance is not None:
        axes.axvline(chance, color=GREY, ls="--", lw=1)
    axes.set_yticks(range(len(categories)), categories)
    axes.invert_yaxis()
    axes.set(xlim=(-0.02, 1.02), title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    return figure


def sweep_curves(points: Sequence[Point], title: str) -> Figure:
    """Figure 4: win rate, mean length and 4-gram repetition over N, and exact match where it is known."""
    curves = {
        "win rate": [point.win_rate for point in points],
        "length, characters": [point.length for point in points],
        "4-gram repetition": [point.repetition for point in points],
    }
    matches = [point.exact_match for point in points if point.exact_match]
    if matches:
        curves = {"exact match": matches, **curves}
    sizes = [point.n for point in points]
    figure = Figure(figsize=(3.6 * len(curves), 3.6), layout="constrained")
    for axes, (name, estimates) in zip(figure.subplots(1, len(curves)), curves.items(), strict=True):
        axes.plot(sizes, [one.mean for one in estimates], "o-", color=GREEN)
        axes.fill_between(
            sizes, [one.low for one in estimates], [one.high for one in estimates], color=GREEN, alpha=0.15, lw=0
        )
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set(xlabel="N", title=name)
        if not any(one.high for one in estimates):
            axes.set_ylim(0, 1)  # all zero: no scale of its own
        axes.grid(alpha=0.3)
    figure.suptitle(title)
    return figure


def _points(axes: Axes, places: Sequence[float], estimates: Sequence[Estimate], colour: str, label: str) -> None:
    axes.errorbar(
        places, [one.mean for one in estimates], yerr=_reach(estimates), fmt="o-", color=colour, capsize=3, label=label
    )


def _reach(estimates: Sequence[Estimate]) -> tuple[list[float], list[float]]:
    """Distances of the bounds from the mean; a resampled interval may just miss it, which a bar can't show."""
    return [max(0.0, one.mean - one.low) for one in estimates], [max(0.0, one.high - one.mean) for one in estimates]
