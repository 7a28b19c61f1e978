"""What a scenario writes: the page `scenario-NAME`, its plot, and every request behind them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.results import write_results
from loadtests.scenarios.figures import Figures
from loadtests.scenarios.page import markdown
from loadtests.scenarios.run import Measured
from loadtests.scenarios.settings import Objectives, Scenario


def write(
    folder: Path,
    about: Mapping[str, str],
    name: str,
    scenario: Scenario,
    objectives: Objectives,
    measured: Sequence[Measured],
    cells: Sequence[Figures],
) -> list[Path]:
    """Writes all files, and says which."""
    data: dict[str, Any] = {
        "about": dict(about),
        "scenario": scenario.model_dump(),
        "objectives": objectives.model_dump(),
        "figures": cells,
        "runs": [
            {
                "cell": one.cell,
                "records": [list(record) for record in one.records],
                "looks": [list(look) for look in one.looks],
            }
            for one in measured
        ],
    }
    page = markdown(about, name, scenario, objectives, cells)
    return write_results(folder, f"scenario-{name}", page, data, _draw(objectives, measured, cells))


def _draw(objectives: Objectives, measured: Sequence[Measured], cells: Sequence[Figures]) -> Figure:
    picture = Figure(figsize=(14, 2 + 0.3 * len(cells)), layout="constrained")
    good, latency, memory = picture.subplots(1, 3, width_ratios=[2, 2, 1.4])
    names = [one.cell.name for one in cells]
    good.barh(names, [one.good for one in cells])
    good.set_xlim(0, 1)
    good.set_xlabel("share within both objectives")
    good.invert_yaxis()
    _latency(latency, objectives, cells)
    for one in measured:
        memory.plot([look.at for look in one.looks], [look.memory_mib for look in one.looks], linewidth=1)
    memory.set_ylim(bottom=0)
    memory.set_xlabel("time (s)")
    memory.set_ylabel("memory (MiB)")
    return picture


def _latency(axes: Axes, objectives: Objectives, cells: Sequence[Figures]) -> None:
    for label, colour, limit in (
        ("progress", "tab:orange", objectives.first_progress_seconds),
        ("answer", "tab:blue", objectives.answer_seconds),
    ):
        found = [(place, quantiles) for place, one in enumerate(cells) if (quantiles := getattr(one, label))]
        for place, quantiles in found:
            axes.plot([quantiles.p50, quantiles.p95], [place, place], color=colour, linewidth=2)
        axes.plot([one.p50 for _, one in found], [place for place, _ in found], "o", color=colour, label=label)
        axes.axvline(limit, color=colour, linestyle=":", linewidth=1)
    axes.set_yticks([])
    axes.set_ylim(len(cells) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.set_xlabel("p50 to p95 (s); dotted: objectives")
    axes.legend()
