"""paper.md, paper.json and the plots: the paper's tables with ours beside them, and a verdict on each claim.

The words are in paper.md.jinja; so are the figures that the paper printed.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure
from selfjudge_training.evaluation.plots import GREEN, RED
from selfjudge_training.evaluation.report import DPI, plain
from selfjudge_training.evaluation.statistics import Estimate
from selfjudge_training.jsft.jsft_stage import MODEL

from experiments.markdown import markdown_templates
from experiments.paper.claims import claims_of
from experiments.paper.figures import Figures, Values, estimate, read_finished
from experiments.paper.recipe import PaperRecipe
from loadtests.machine import describe


def write_report(recipe: PaperRecipe, root: Path, output: Path) -> list[Path]:
    """Write everything about a finished run into a folder, and return the paths."""
    output.mkdir(parents=True, exist_ok=True)
    run, described = read_finished(recipe, root), describe(root / "base" / MODEL)
    claims = claims_of(recipe, run)
    results = {**plain(run), "claims": [{**plain(claim), "verdict": claim.verdict} for claim in claims]}
    about = {name: described[name] for name in ("machine", "date")}
    content = {"recipe": recipe.model_dump(mode="json"), **about, "results": results}
    iterations = {f"judged by the {judge} model": points for judge, points in run.iterations.items()}
    pages = {
        "paper.json": json.dumps(content, indent=1, default=_with_interval) + "\n",
        "paper.md": _page(recipe=recipe, run=run, claims=claims, **about),
    }
    plots = {
        "paper-figure-4.png": _plot(run.sweeps, {"win_rate": "win rate", "exact": "exact match"}, "N"),
        "paper-figure-5.png": _plot(
            iterations, {"win_rate": "win rate", "accuracy": "accuracy as a judge"}, "iteration of self-training"
        ),
    }
    for name, text in pages.items():
        (output / name).write_text(text, encoding="utf-8")
    for name, figure in plots.items():
        figure.savefig(output / name, dpi=DPI)
    return [output / name for name in (*pages, *plots)]


def _with_interval(values: Values) -> dict[str, object]:
    return {**estimate((1.0, values))._asdict(), "by_seed": values.mean(1).tolist()}


def _page(**content: object) -> str:
    environment = markdown_templates(Path(__file__).parent)
    environment.filters |= {
        "percent": lambda values: _shown(estimate((1.0, values)), ".1f"),
        "points": lambda effect: _shown(effect, "+.1f"),
        "by_seed": lambda values: ", ".join(f"{100 * share:.1f}" for share in values.mean(1)),
    }
    return environment.get_template("paper.md.jinja").render(content)


def _shown(found: Estimate, form: str) -> str:
    mean, low, high = (format(100 * share, form) for share in (found.mean, found.low, found.high))
    return f"{mean} [{low}, {high}]"


def _plot(lines: Mapping[str, Mapping[int, Figures]], titles: Mapping[str, str], place: str) -> Figure:
    """A panel for each of two figures, with a line for each name; bands are 95% intervals."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    for axes, (key, title) in zip(figure.subplots(1, 2), titles.items(), strict=True):
        for (name, points), colour in zip(lines.items(), (RED, GREEN), strict=True):
            places = [str(number) for number in points]
            found = [estimate((1.0, figures[key])) for figures in points.values()]
            axes.plot(places, [one.mean for one in found], "o-", color=colour, label=name)
            low, high = [one.low for one in found], [one.high for one in found]
            axes.fill_between(places, low, high, color=colour, alpha=0.15, lw=0)
        axes.set(xlabel=place, title=title)
        axes.grid(alpha=0.3)
        axes.legend(loc="best")
    return figure
