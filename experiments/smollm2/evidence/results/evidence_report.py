"""smollm2.md, smollm2.json and the plots, and the page of answers side by side, of whatever has been measured.

The words are in smollm2.md.jinja and smollm2-answers.md.jinja.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment
from matplotlib.figure import Figure
from selfjudge_training.evaluation.report import DPI, plain
from selfjudge_training.evaluation.statistics import Estimate
from selfjudge_training.run.files import write_whole

from experiments.markdown import markdown_templates
from experiments.smollm2.evidence.cells.bench import Bench, Sampled, best_index
from experiments.smollm2.evidence.cells.elsewhere import load_first_turns
from experiments.smollm2.evidence.evidence_plan import BASE, JM, EvidencePlan
from experiments.smollm2.evidence.kept import read_kept
from experiments.smollm2.evidence.results.everything import Everything
from experiments.smollm2.evidence.results.goals import FORM_NAMES, goals_of
from experiments.smollm2.evidence.results.pictures import by_kind, over_n
from loadtests.machine import describe

_PATHS: dict[str, Any] = {
    "models": {"__all__": {"path"}},
    "ifeval": {"path"},
    "chat": {"llmbar", "questions"},
    "hot_swap": {"adapter"},
}
"""Of one machine."""


def write_evidence(plan: EvidencePlan, found: Everything, root: Path, output: Path) -> list[Path]:
    """Write everything about what was found into a folder, and return the paths; ``root`` has the raw rows."""
    output.mkdir(parents=True, exist_ok=True)
    goals = list(goals_of(plan, found))
    weights = {name: describe(model.path) for name, model in plan.models.items() if model.path.is_dir()}
    about = {name: describe(root)[name] for name in ("machine", "date")}
    plots = dict(_plots(found))
    content = {
        "plan": plan.model_dump(mode="json", exclude=_PATHS),
        **about,
        "weights": {name: one["model"] for name, one in weights.items()},
        "goals": [{**plain(goal), "verdict": goal.verdict} for goal in goals],
        "results": plain(found),
    }
    environment = _environment()
    page = environment.get_template("smollm2.md.jinja")
    pages = {
        "smollm2.json": json.dumps(content, indent=1) + "\n",
        "smollm2.md": page.render(plan=plan, found=found, goals=goals, plots=plots, forms=FORM_NAMES, **about),
    }
    if answers := side_by_side(plan, root):
        pages["smollm2-answers.md"] = environment.get_template("smollm2-answers.md.jinja").render(
            plan=plan, answers=answers, **about
        )
    for name, text in pages.items():
        write_whole(output / name, text)
    for name, figure in plots.items():
        figure.savefig(output / name, dpi=DPI)
    return [output / name for name in (*pages, *plots)]


def side_by_side(plan: EvidencePlan, root: Path) -> list[dict[str, str]]:
    """Each of MT-Bench's first turns, answered by the base, by JM, and by the best of JM's answers."""
    base, own = (read_kept(Bench(plan, root, name).file("questions"), Sampled) for name in (BASE, JM))
    return [
        {
            "question": question,
            "base": base[key].texts[0],
            "jm": own[key].texts[0],
            "best": own[key].texts[best_index(own[key].scores)],
        }
        for key, question in load_first_turns(plan.chat).items()
        if key in base and key in own
    ]


def _plots(found: Everything) -> Iterator[tuple[str, Figure]]:
    if judge := found.judges.get(JM):
        yield "smollm2-judge.png", by_kind(judge, "pairs within a prompt judged right, by the constraint broken")
    panels = {"all held-out tasks": found.picking, "tasks whose tournaments were held": found.contests}
    if measured := {title: of[JM] for title, of in panels.items() if JM in of}:
        yield "smollm2-best-of-n.png", over_n(measured)


def _environment() -> Environment:
    environment = markdown_templates(Path(__file__).parent)
    environment.filters |= {"percent": _percent, "points": _points, "figure": _figure, "quoted": _quoted}
    return environment


def _percent(found: Estimate | None) -> str:
    return _shown(found, 100, ".1f")


def _points(found: Estimate | None) -> str:
    return _shown(found, 100, "+.1f")


def _figure(found: Estimate | None) -> str:
    return _shown(found, 1, ".3f")


def _shown(found: Estimate | None, times: float, form: str) -> str:
    if found is None:
        return ""
    mean, low, high = (format(times * value, form) for value in (found.mean, found.low, found.high))
    return f"{mean} [{low}, {high}]"


def _quoted(text: str) -> str:
    """As a block of Markdown that shows the text as it is."""
    fence = "`" * max(3, *(len(run) + 1 for run in _backticks(text)))
    return f"{fence}text\n{text.strip()}\n{fence}"


def _backticks(text: str) -> Mapping[str, None]:
    return dict.fromkeys(["", *"".join(mark if mark == "`" else " " for mark in text).split()])
