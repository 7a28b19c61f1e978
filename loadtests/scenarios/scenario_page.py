"""The page `scenarios` and its plot."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.report import Results, table
from loadtests.scenarios.cells import Objectives, Scenario
from loadtests.scenarios.goodput import FLAT, Figures, Measured, summarise

_MEMORY_SECONDS: Final = 300
"""Shorter cells say little about memory."""
_INTRO: Final = """# Load scenarios

Goodput and latency at given rates of arrivals, measured by `python -m loadtests scenarios NAME...` (`make load`: all).
aiperf, on the server's machine, sends Poisson arrivals in an open loop. Temperature 1.

A request is good if its first progress event (or token), where it is streamed, came within
{goal.first_progress_seconds:g} s, and its whole answer within {goal.answer_seconds:g} s. Cells hold: share of good
requests; p50 and p95 of first progress and of the answer (s); answers per core-second; statuses but 200.
"""
_SCENARIO: Final = """## {name}

{scenario.about} {scenario.seconds:g} s for each cell, at most {scenario.max_tokens} tokens.
"""
_MEMORY: Final = """\
Memory at {one.cell.name}: {one.memory.first:.0f} MiB at first, {one.memory.last:.0f} MiB at last,
{one.memory.growth:+.1f} MiB by the line through the last three quarters of the time, which is {flat} (below
{limit:.0%}). It counts all of the server's processes, shared pages once, and no pages of files.
"""


def results(goal: Objectives, runs: Mapping[str, tuple[Scenario, Sequence[Measured]]]) -> Results:
    """What was found, for people and for programs; scenarios and their cells by name."""
    sections: list[str] = []
    data, late = {}, 0.0
    for name, (scenario, measured) in runs.items():
        figures = summarise(measured, goal)
        late = max(late, *(one.late for one in figures))
        sections += [_SCENARIO.format(name=name, scenario=scenario), _by_n(figures)]
        sections += [_memory(one) for one in figures if one.cell.seconds >= _MEMORY_SECONDS]
        data[name] = {"scenario": scenario.model_dump(), "figures": figures, "runs": measured}
    sections.append("![Goodput, latency and memory](scenarios.png)\n")
    conditions = {"generator": f"late by {late:.3f} s at most (p95 of a cell)"}
    return Results("scenarios", _INTRO.format(goal=goal), conditions, sections, data, _draw(goal, runs))


def _by_n(figures: Sequence[Figures]) -> str:
    """A row for each load, a column for each N."""
    sizes = list(dict.fromkeys(one.cell.best_of_n for one in figures))
    rows: dict[str, dict[int, str]] = {}
    for one in figures:
        rows.setdefault(one.cell.load, {})[one.cell.best_of_n] = "; ".join(_told(one))
    return table(
        ["load", *(f"N={n}" for n in sizes)],
        ([load, *(row.get(n, "") for n in sizes)] for load, row in rows.items()),
    )


def _told(one: Figures) -> Iterator[str]:
    yield f"{one.good:.0%}"
    yield from (str(quantiles) for quantiles in (one.progress, one.answer) if quantiles.p50)
    yield f"{one.per_core:.1f}"
    yield from (f"{count} x {status}" for status, count in one.statuses.items() if status != HTTPStatus.OK)
    if one.swaps:
        yield f"{one.swaps} swaps"


def _memory(one: Figures) -> str:
    return _MEMORY.format(one=one, flat="flat" if one.memory.flat else "not flat", limit=FLAT)


def _draw(goal: Objectives, runs: Mapping[str, tuple[Scenario, Sequence[Measured]]]) -> Figure:
    """A row for each scenario."""
    heights = [2 + 0.3 * len(measured) for _, measured in runs.values()]
    picture = Figure(figsize=(14, sum(heights)), layout="constrained")
    rows = picture.subplots(len(runs), 3, squeeze=False, height_ratios=heights, width_ratios=[2, 2, 1.4])
    for (name, (_, measured)), (good, latency, memory) in zip(runs.items(), rows, strict=True):
        figures = summarise(measured, goal)
        good.barh([one.cell.name for one in figures], [one.good for one in figures])
        good.set_title(name)
        good.set_xlim(0, 1)
        good.set_xlabel("share within both objectives")
        good.invert_yaxis()
        _latency(latency, goal, figures)
        for one in measured:
            memory.plot([look.at for look in one.looks], [look.memory_mib for look in one.looks], linewidth=1)
        memory.set_ylim(bottom=0)
        memory.set_xlabel("time (s)")
        memory.set_ylabel("memory (MiB)")
    return picture


def _latency(axes: Axes, goal: Objectives, figures: Sequence[Figures]) -> None:
    for label, colour, limit in (
        ("progress", "tab:orange", goal.first_progress_seconds),
        ("answer", "tab:blue", goal.answer_seconds),
    ):
        found = [(place, quantiles) for place, one in enumerate(figures) if (quantiles := getattr(one, label)).p50]
        for place, quantiles in found:
            axes.plot([quantiles.p50, quantiles.p95], [place, place], color=colour, linewidth=2)
        axes.plot([one.p50 for _, one in found], [place for place, _ in found], "o", color=colour, label=label)
        axes.axvline(limit, color=colour, linestyle=":", linewidth=1)
    axes.set_yticks([])
    axes.set_ylim(len(figures) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.set_xlabel("p50 to p95 (s); dotted: objectives")
    axes.legend()
