"""Figures 4 and 5 of the paper, from our figures; bands and bars are 95% intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selfjudge_training.evaluation.plots import GREEN, RED
from selfjudge_training.evaluation.report import DPI
from selfjudge_training.evaluation.statistics import Estimate
from selfjudge_training.paper.results import Iteration, PolicyFigures

COLOURS = {"JM": RED, "JM-PR": GREEN}


def figure_4(sweeps: Mapping[str, Mapping[int, PolicyFigures]]) -> Figure:
    """Win rate, exact match, length and repetition over N."""
    panels = {
        "win rate": "win_rate",
        "exact match": "exact",
        "length, characters": "length",
        "4-gram repetition": "repetition",
    }
    figure = Figure(figsize=(14, 3.6), layout="constrained")
    for axes, (title, field) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for name, points in sweeps.items():
            _line(axes, list(points), [getattr(point, field) for point in points.values()], COLOURS[name], name)
        sizes = list(next(iter(sweeps.values())))
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set(xlabel="N", title=title)
        axes.grid(alpha=0.3)
        axes.legend(loc="best")
    return figure


def figure_5(iterations: Sequence[Iteration], most: int) -> Figure:
    """Win rate with and without self-rejection, and accuracy as a judge, over iterations of self-training."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    numbers = [one.number for one in iterations]
    _line(left, numbers, [one.alone.win_rate for one in iterations], RED, "N = 1")
    _line(left, numbers, [one.best.win_rate for one in iterations], GREEN, f"N = {most}")
    _line(right, numbers, [one.judge.overall for one in iterations], GREEN, "judge")
    left.legend(loc="best")
    for axes, title in ((left, "win rate"), (right, "accuracy as a judge")):
        axes.set_xticks(numbers)
        axes.set(xlabel="iteration of self-training", title=title)
        axes.grid(alpha=0.3)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG; equal figures give equal files."""
    figure.savefig(path, dpi=DPI)
    return path


def _line(axes: Axes, places: Sequence[int], estimates: Sequence[Estimate], colour: str, label: str) -> None:
    axes.plot(places, [one.mean for one in estimates], "o-", color=colour, label=label)
    low, high = [one.low for one in estimates], [one.high for one in estimates]
    axes.fill_between(places, low, high, color=colour, alpha=0.15, lw=0)
