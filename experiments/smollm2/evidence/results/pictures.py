"""The plots of the report; bars and bands are 95% intervals."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from selfjudge_training.evaluation.plots import GREEN, GREY, RED
from selfjudge_training.evaluation.statistics import Estimate

from experiments.smollm2.evidence.evidence_plan import Form
from experiments.smollm2.evidence.results.curves import ORACLE, RANDOM, Picked
from experiments.smollm2.evidence.results.goals import FORM_NAMES
from experiments.smollm2.evidence.results.judging_figures import Judged
from experiments.smollm2.evidence.results.picking_figures import Picking

BLUE, GOLD, VIOLET = "#2a6f97", "#b08900", "#6a4c93"
COLOURS = (GREEN, RED, BLUE, GOLD, VIOLET)


def by_kind(judged: Mapping[Form, Judged], title: str) -> Figure:
    """A judge's accuracy by kind of constraint, a colour for each form."""
    kinds = sorted({kind for one in judged.values() for kind in one.by_kind})
    figure = Figure(figsize=(7, 1.5 + 0.4 * len(kinds)), layout="constrained")
    axes = figure.subplots()
    for number, ((form, one), colour) in enumerate(zip(judged.items(), COLOURS, strict=False)):
        rows = [(place, one.by_kind[kind]["accuracy"]) for place, kind in enumerate(kinds) if kind in one.by_kind]
        _bars(axes, [place + 0.2 * (number - 1) for place, _ in rows], [found for _, found in rows], colour)
        axes.plot([], [], "o", color=colour, label=FORM_NAMES[form])
    axes.axvline(0.5, color=GREY, ls="--", lw=1)
    axes.set_yticks(range(len(kinds)), kinds)
    axes.invert_yaxis()
    axes.set(xlim=(-0.02, 1.02), title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    return figure


def over_n(pickings: Mapping[str, Picking]) -> Figure:
    """Share of right picks over N, a panel for each set of ways."""
    figure = Figure(figsize=(6 * len(pickings), 4.5), layout="constrained")
    panels = figure.subplots(1, len(pickings), squeeze=False)[0]
    for axes, (title, picking) in zip(panels, pickings.items(), strict=True):
        colours = iter(COLOURS * 2)
        for name, points in picking.picked.items():
            colour = GREY if name in (RANDOM, ORACLE) else next(colours)
            _curve(axes, name, points, colour)
        axes.set_xscale("log", base=2)
        sizes = list(picking.picked[RANDOM])
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set(xlabel="N", ylabel="share of right picks", title=title)
        axes.grid(alpha=0.3)
        axes.legend(loc="best", fontsize="small")
    return figure


def _curve(axes: Axes, name: str, points: Mapping[int, Picked], colour: str) -> None:
    sizes = list(points)
    found = [point.right for point in points.values()]
    line = "--" if name == ORACLE else ":" if name == RANDOM else "o-"
    axes.plot(sizes, [one.mean for one in found], line, color=colour, label=name)
    if name not in (RANDOM, ORACLE):
        axes.fill_between(sizes, [one.low for one in found], [one.high for one in found], color=colour, alpha=0.1, lw=0)


def _bars(axes: Axes, places: Sequence[float], found: Sequence[Estimate], colour: str) -> None:
    reach = (
        [max(0.0, one.mean - one.low) for one in found],
        [max(0.0, one.high - one.mean) for one in found],
    )
    axes.errorbar([one.mean for one in found], places, xerr=reach, fmt="o", color=colour, capsize=2, ms=4)
