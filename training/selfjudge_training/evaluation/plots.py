"""What plots of reports share: colours, and points whose bars are 95% intervals."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from selfjudge_training.evaluation.statistics import Estimate

GREEN, RED, GREY = "#0b6e4f", "#c8553d", "#888888"


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
            xerr=reach(estimates),
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


def reach(estimates: Sequence[Estimate]) -> tuple[list[float], list[float]]:
    """Distances of the bounds from the mean; a resampled interval may just miss it, which a bar can't show."""
    return [max(0.0, one.mean - one.low) for one in estimates], [max(0.0, one.high - one.mean) for one in estimates]
