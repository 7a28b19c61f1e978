"""paper.md, paper.json and the plots: the paper's tables with ours beside them, and a verdict on each claim.

The words are in paper.md.jinja; so are the figures that the paper printed; ours all come from `results`.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from selfjudge_training.evaluation.plots import GREEN, RED
from selfjudge_training.evaluation.report import DPI, plain
from selfjudge_training.evaluation.statistics import Estimate

from experiments.paper.recipe import PaperRecipe
from experiments.paper.results import Results

NAMES = {
    "judge-only": "JM, judgments only",
    "jm": "JM, JSFT",
    "jm-p": "JM-P",
    "jm-pr": "JM-PR",
    "offline": "Offline",
    "off-policy": "Off-policy",
    "on-policy": "On-policy",
}


def write_report(recipe: PaperRecipe, results: Results, output: Path) -> list[Path]:
    """Write everything into a folder, and return the paths."""
    output.mkdir(parents=True, exist_ok=True)
    content = {"recipe": recipe.model_dump(mode="json"), "results": plain(results)}
    for claim, described in zip(results.claims, content["results"]["claims"], strict=True):
        described["verdict"] = claim.verdict
    pages = {"paper.json": json.dumps(content, indent=1) + "\n", "paper.md": page_text(recipe, results)}
    for name, text in pages.items():
        (output / name).write_text(text, encoding="utf-8")
    plots = {"paper-figure-4.png": figure_4(results), "paper-figure-5.png": figure_5(results)}
    for name, figure in plots.items():
        figure.savefig(output / name, dpi=DPI)
    return [output / name for name in (*pages, *plots)]


def page_text(recipe: PaperRecipe, results: Results) -> str:
    """The page, in Markdown."""
    environment = Environment(  # noqa: S701  # Markdown, of our own figures
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": _percent, "points": _points, "runs": _runs}
    template = environment.get_template("paper.md.jinja")
    return template.render(recipe=recipe, plan=recipe.self_training, results=results, names=NAMES)


def figure_4(results: Results) -> Figure:
    """Win rate and exact match over N; bands are 95% intervals."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    sizes = list(results.sweeps["JM"])
    for axes, (title, field) in zip(
        figure.subplots(1, 2), {"win rate": "win_rate", "exact match": "exact"}.items(), strict=True
    ):
        for (name, points), colour in zip(results.sweeps.items(), (RED, GREEN), strict=True):
            _line(axes, sizes, [getattr(point, field) for point in points.values()], colour, name)
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set(xlabel="N", title=title)
        axes.grid(alpha=0.3)
        axes.legend(loc="best")
    return figure


def figure_5(results: Results) -> Figure:
    """Win rate, and accuracy as a judge, over iterations of self-training."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for (judge, points), colour in zip(results.iterations.items(), (RED, GREEN), strict=True):
        numbers = [one.number for one in points]
        _line(left, numbers, [one.policy.win_rate for one in points], colour, f"judged by the {judge} model")
        _line(right, numbers, [one.judge.overall for one in points], colour, f"judged by the {judge} model")
        for axes, title in ((left, "win rate"), (right, "accuracy as a judge")):
            axes.set_xticks(numbers)
            axes.set(xlabel="iteration of self-training", title=title)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(loc="best")
    return figure


def _line(axes: Axes, places: Sequence[int], estimates: Sequence[Estimate], colour: str, label: str) -> None:
    axes.plot(places, [one.mean for one in estimates], "o-", color=colour, label=label)
    low, high = [one.low for one in estimates], [one.high for one in estimates]
    axes.fill_between(places, low, high, color=colour, alpha=0.15, lw=0)


def _percent(share: Estimate) -> str:
    return f"{100 * share.mean:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def _points(effect: Estimate) -> str:
    return f"{100 * effect.mean:+.1f} [{100 * effect.low:+.1f}, {100 * effect.high:+.1f}]"


def _runs(shares: Sequence[float]) -> str:
    return ", ".join(f"{100 * share:.1f}" for share in shares)
