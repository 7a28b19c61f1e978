"""What is written: the page `swaps`, its plot, and every latency behind them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtests.results import write_results
from loadtests.swaps.plot import draw
from loadtests.swaps.report import Report
from loadtests.swaps.scenario import Measured, Settings
from loadtests.swaps.table import markdown


def write_report(
    folder: Path, about: Mapping[str, str], settings: Settings, measured: Measured, report: Report
) -> list[Path]:
    """Writes all files, and says which."""
    data: dict[str, Any] = {
        "about": dict(about),
        "settings": {**settings._asdict(), "model": settings.model.name},
        "checks": report.checks,
        "p99_ratio": report.p99_ratio,
        "figures": report.figures,
        "mixed": report.mixed,
        "costs": report.rounds,
        "phases": [
            {
                "name": phase.name,
                "seconds": phase.seconds,
                "latencies": [answer.seconds for answer in phase.answers],
                "swaps": phase.swaps,
                "held": phase.held,
            }
            for phase in measured.phases
        ],
    }
    return write_results(folder, "swaps", markdown(about, settings, report), data, draw(measured.phases))
