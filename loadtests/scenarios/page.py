"""scenario-NAME.md."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from loadtests.scenarios.figures import FLAT, Figures, Quantiles
from loadtests.scenarios.settings import Objectives, Scenario

_HEAD: Final = [
    "N",
    "arrivals/s",
    "prompt",
    "streamed",
    "a swap every",
    "statuses",
    "answered/s",
    "good",
    "goodput/s",
    "first progress p50, p95 (s)",
    "answer p50, p95 (s)",
    "p50 against N=1",
    "cores",
    "answered per core-second",
]
_MEMORY_HEAD: Final = ["cell", "first (MiB)", "last (MiB)", "growth (MiB)", "flat"]
_TEXT: Final = """Measured by aiperf, with Poisson arrivals in an open loop: requests come when they come, whatever
becomes of those before. Load generator and server share the machine.
"""
_MEMORY: Final = """Of all of the server's processes, without pages of files; what they share is counted once.
Growth is that of the line through the last three quarters of the time; flat means below {:.0%} of the memory. Short
cells say little.
"""


def markdown(
    about: Mapping[str, str], name: str, scenario: Scenario, goal: Objectives, cells: Sequence[Figures]
) -> str:
    """The whole page."""
    late = max(one.late for one in cells)
    goals = (
        f"A request is good if its first progress event (or token) came within {goal.first_progress_seconds:g} s, "
        f"where it was streamed, and its whole answer within {goal.answer_seconds:g} s. The generator sent late by "
        f"{late:.3f} s at most (95th percentile of a cell).\n"
    )
    sections = [
        f"# Scenario: {name}\n",
        f"{scenario.about} {_TEXT}",
        "".join(f"* {key}: {value}\n" for key, value in about.items()),
        goals,
        _table(_HEAD, map(_row, cells)),
        f"![Goodput, latency and memory](scenario-{name}.png)\n",
        "## Memory\n",
        _table(_MEMORY_HEAD, map(_memory, cells)),
        _MEMORY.format(FLAT),
    ]
    return "\n".join(sections)


def _row(one: Figures) -> list[str]:
    cell = one.cell
    return [
        str(cell.best_of_n),
        f"{cell.rate:g}",
        str(cell.prompt),
        _yes(cell.streaming),
        f"{cell.swap_seconds:g} s ({one.swaps} done)" if cell.swap_seconds else "-",
        ", ".join(f"{status}: {count}" for status, count in one.statuses.items()),
        f"{one.answered:.1f}",
        f"{one.good:.0%}",
        f"{one.goodput:.1f}",
        _two(one.progress),
        _two(one.answer),
        f"{one.over_plain:.1f}x" if one.over_plain else "-",
        f"{one.cores:.2f}",
        f"{one.per_core:.1f}",
    ]


def _memory(one: Figures) -> list[str]:
    memory = one.memory
    return [one.cell.name, f"{memory.first:.0f}", f"{memory.last:.0f}", f"{memory.growth:+.1f}", _yes(memory.flat)]


def _two(quantiles: Quantiles | None) -> str:
    return f"{quantiles.p50:.3f}, {quantiles.p95:.3f}" if quantiles else "-"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *rows])
