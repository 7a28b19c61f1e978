"""scenario-NAME.md."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from loadtests.scenarios.figures import FLAT, Figures, Quantiles
from loadtests.scenarios.settings import Cell, Objectives, Scenario

_MEMORY_HEAD: Final = ["cell", "first (MiB)", "last (MiB)", "growth (MiB)", "flat"]
_MEMORY_SECONDS: Final = 300
"""Shorter cells say little about memory."""
_TEXT: Final = """Measured by aiperf, with Poisson arrivals in an open loop, on the server's machine.
"""
_MEMORY: Final = """Of all of the server's processes, without pages of files; what they share is counted once.
Growth is that of the line through the last three quarters of the time; flat means below {:.0%} of the memory.
"""


def markdown(
    about: Mapping[str, str], name: str, scenario: Scenario, goal: Objectives, cells: Sequence[Figures]
) -> str:
    """The whole page."""
    late = max(one.late for one in cells)
    goals = (
        "A request is good if its first progress event (or token; streams only) came within "
        f"{goal.first_progress_seconds:g} s and its whole answer within {goal.answer_seconds:g} s. "
        "Cells hold: share of good requests; p50 and p95 of the first progress and of the whole answer, in seconds; "
        "answers per core-second; statuses but 200. "
        f"The generator was late by {late:.3f} s at most (95th percentile of a cell).\n"
    )
    sections = [
        f"# Scenario: {name}\n",
        f"{scenario.about}\n{_TEXT}",
        "".join(f"* {key}: {value}\n" for key, value in about.items()),
        goals,
        _by_n(cells),
        f"![Goodput, latency and memory](scenario-{name}.png)\n",
    ]
    if long := [one for one in cells if one.cell.seconds >= _MEMORY_SECONDS]:
        sections += ["## Memory\n", _table(_MEMORY_HEAD, map(_memory, long)), _MEMORY.format(FLAT)]
    return "\n".join(sections)


def _by_n(cells: Sequence[Figures]) -> str:
    """A row for each load, a column for each N."""
    sizes = list(dict.fromkeys(one.cell.best_of_n for one in cells))
    rows: dict[str, dict[int, str]] = {}
    for one in cells:
        rows.setdefault(_load(one.cell), {})[one.cell.best_of_n] = "; ".join(_told(one))
    return _table(
        ["load", *(f"N={n}" for n in sizes)],
        ([load, *(row.get(n, "") for n in sizes)] for load, row in rows.items()),
    )


def _load(cell: Cell) -> str:
    return cell._replace(best_of_n=0).name.removeprefix("N=0, ")


def _told(one: Figures) -> Iterator[str]:
    yield f"{one.good:.0%}"
    for quantiles in (one.progress, one.answer):
        if quantiles:
            yield _two(quantiles)
    yield f"{one.per_core:.1f}"
    yield from (f"{count} x {status}" for status, count in one.statuses.items() if status != HTTPStatus.OK)
    if one.swaps:
        yield f"{one.swaps} swaps"


def _memory(one: Figures) -> list[str]:
    memory = one.memory
    flat = "yes" if memory.flat else "no"
    return [one.cell.name, f"{memory.first:.0f}", f"{memory.last:.0f}", f"{memory.growth:+.1f}", flat]


def _two(quantiles: Quantiles) -> str:
    return f"{quantiles.p50:.3f}, {quantiles.p95:.3f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *rows])
