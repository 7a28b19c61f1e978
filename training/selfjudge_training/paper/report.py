"""paper.md, paper.json and the plots: the paper's tables with ours beside them, and a verdict on each claim.

The words are in paper.md.jinja; the figures in them all come from `results`, the paper's from `printed`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from selfjudge_training.evaluation.report import plain
from selfjudge_training.evaluation.statistics import Estimate
from selfjudge_training.paper import printed
from selfjudge_training.paper.plots import figure_4, figure_5, save
from selfjudge_training.paper.recipe import PaperRecipe
from selfjudge_training.paper.results import PolicyFigures, Results
from selfjudge_training.paper.trials import best

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
    data, page = output / "paper.json", output / "paper.md"
    data.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    page.write_text(page_text(recipe, results), encoding="utf-8")
    plots = [
        save(figure_4(results.sweeps), output / "paper-figure-4.png"),
        save(figure_5(results.iterations, recipe.evaluation.sizes[-1]), output / "paper-figure-5.png"),
    ]
    return [page, data, *plots]


def page_text(recipe: PaperRecipe, results: Results) -> str:
    """The page, in Markdown."""
    environment = Environment(  # noqa: S701  # Markdown, of our own figures
        loader=PackageLoader("selfjudge_training.paper", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "percent": _percent,
        "points": _points,
        "plain": _plain,
        "runs": _runs,
        "best": _best,
        "chosen": best,
    }
    template = environment.get_template("paper.md.jinja")
    return template.render(recipe=recipe, plan=recipe.self_training, results=results, printed=printed, names=NAMES)


def _percent(share: Estimate) -> str:
    return f"{100 * share.mean:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def _points(effect: Estimate) -> str:
    return f"{100 * effect.mean:+.1f} [{100 * effect.low:+.1f}, {100 * effect.high:+.1f}]"


def _plain(value: Estimate) -> str:
    return f"{value.mean:.1f} [{value.low:.1f}, {value.high:.1f}]"


def _runs(shares: Sequence[float]) -> str:
    return ", ".join(f"{100 * share:.1f}" for share in shares)


def _best(points: Mapping[int, PolicyFigures]) -> int:
    """The N of the highest win rate."""
    return max(points, key=lambda size: points[size].win_rate.mean)
