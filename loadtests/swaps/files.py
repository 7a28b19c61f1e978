"""Writes what was measured: swaps.json with every latency, swaps.md for people, swaps.png and swaps.svg."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtests.files import plain
from loadtests.swaps.plot import draw
from loadtests.swaps.report import Report
from loadtests.swaps.scenario import Measured, Settings
from loadtests.swaps.table import markdown


def write_report(
    folder: Path, about: Mapping[str, str], settings: Settings, measured: Measured, report: Report
) -> list[Path]:
    """Writes all files, and says which."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"swaps.{suffix}" for suffix in ("json", "md", "png", "svg")]
    data: dict[str, Any] = {
        "about": dict(about),
        "settings": {**plain(settings), "model": settings.model.name},
        "checks": [plain(one) for one in report.checks],
        "p99_ratio": plain(report.p99_ratio),
        "figures": [plain(one) for one in report.figures],
        "mixed": [plain(one) for one in report.mixed],
        "costs": plain(report.rounds),
        "phases": [
            {
                "name": phase.name,
                "seconds": plain(phase.seconds),
                "latencies": [plain(answer.seconds) for answer in phase.answers],
                "swaps": plain(phase.swaps),
                "held": plain(phase.held),
            }
            for phase in measured.phases
        ],
    }
    paths[0].write_text(json.dumps(data, indent=1) + "\n")
    paths[1].write_text(markdown(about, settings, report))
    draw(measured.phases, paths[2:])
    return paths
