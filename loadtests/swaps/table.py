"""The report as a Markdown page."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from loadtests.swaps.report import Figures, Report
from loadtests.swaps.scenario import Settings

_TEXT = """# Swaps under load

Whether swaps lose or mix anything. Clients ask for tournaments in closed loops while a policy's active version is
switched as fast as the server takes it; the phases before and after have no swaps. Each version is another adapter and
writes in an alphabet of its own, so a single token of another version shows in any candidate.
"""

_HEAD = ["phase", "requests", "a second", "p50, s", "p95, s", "p99, s", "failed", "untrue", "mixed", "versions"]
_COST_TEXT = """## What LoRA costs

Tournaments a second of servers without a store and with one, which had two versions loaded, and seconds from a server's
start until it was ready; medians over rounds, in brackets the least and greatest.
"""
_COST_HEAD = ["", "without a store", "with a store"]


def markdown(about: Mapping[str, str], settings: Settings, report: Report) -> str:
    """The whole page."""
    conditions = {**about, "load": f"{settings.clients} clients, best_of_n {settings.best_of_n}"}
    swaps = report.figures[1]
    sections = [
        _TEXT,
        "".join(f"* {name}: {value}\n" for name, value in conditions.items()),
        _table(_HEAD, map(_phase, report.figures)),
        f"{swaps.swaps} swaps took {swaps.swap_median:.2f} s each (median), {swaps.swap_max:.2f} s at most.\n",
        "![Latency of each request](swaps.png)\n",
        "## What must hold\n",
        _table(
            ["", "holds", "found"], ([one.name, "yes" if one.holds else "**no**", one.found] for one in report.checks)
        ),
        *((_COST_TEXT, _table(_COST_HEAD, _costs(report))) if report.rounds else ()),
    ]
    return "\n".join(sections)


def _phase(one: Figures) -> list[str]:
    seconds = [f"{value:.2f}" for value in (one.p50, one.p95, one.p99)]
    counts = [str(value) for value in (one.failed, one.untrue, one.mixed, one.versions)]
    return [one.name, str(one.requests), f"{one.per_second:.1f}", *seconds, *counts]


def _costs(report: Report) -> Iterable[list[str]]:
    plain, stored = [one.plain for one in report.rounds], [one.with_store for one in report.rounds]
    yield [
        "requests to the base, a second",
        _spread([one.base for one in plain]),
        _spread([one.base for one in stored]),
    ]
    yield ["requests to a policy, a second", "", _spread([one.policy for one in stored if one.policy])]
    yield ["start, seconds", _spread([one.seconds for one in plain]), _spread([one.seconds for one in stored])]


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
