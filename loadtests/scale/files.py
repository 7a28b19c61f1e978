"""Writes scale.json with all that was measured and found, scale.md for people, scale.png and scale.svg."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.files import plain
from loadtests.scale.cells import Cell
from loadtests.scale.check import GOAL, Checked, Pair
from loadtests.scale.measure import Measured, Measurement, Request, Work
from loadtests.scale.page import Report, markdown, pairs


def write(folder: Path, report: Report) -> list[Path]:
    """Writes all files, and says which."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"scale.{suffix}" for suffix in ("json", "md", "png", "svg")]
    paths[0].write_text(json.dumps(_data(report)) + "\n")
    paths[1].write_text(markdown(report))
    _draw(report, paths[2:])
    return paths


def read(path: Path) -> tuple[dict[str, str], list[Measured]]:
    """What a scale.json says of its machine, and what was measured there."""
    found = json.loads(path.read_text())
    return found["about"], [
        Measured(
            one["for"],
            one["round"],
            Measurement(
                Cell(**one["cell"]),
                one["times"],
                one["seconds"],
                [Request(*request) for request in one["requests"]],
                Work(**one["work"]),
            ),
        )
        for one in found["measured"]
    ]


def _data(report: Report) -> dict[str, Any]:
    return {
        "about": dict(report.about),
        "calibration": plain(report.calibration),
        "checked": [
            {
                **plain(one),
                "errors": {name: plain(pair.error) for name, pair in pairs(one).items()},
                "errors_given_time": {name: plain(pair.error_given_time) for name, pair in pairs(one).items()},
            }
            for one in report.checked
        ],
        "assumptions": report.assumptions.model_dump(),
        "plans": [plain(one) for one in report.plans],
        "what_if": {name: plain(one) for name, one in report.what_if},
        "measured": [
            {
                "for": use,
                "round": number,
                "cell": plain(one.cell),
                "times": [plain(at) for at in one.times],
                "seconds": plain(one.seconds),
                "work": plain(one.work),
                "requests": [list(plain(request).values()) for request in one.requests],
            }
            for use, number, one in report.measured
        ],
    }


def _draw(report: Report, paths: Sequence[Path]) -> None:
    picture = Figure(figsize=(12, 4.2), layout="constrained")
    left, middle, right = picture.subplots(1, 3)
    _against(left, report.checked, "throughput", "requests a second")
    _against(middle, report.checked, "latency", "median latency (s)")
    right.barh([f"{one.gpus} x {one.gpu}" for one in report.plans], [one.total_gpus for one in report.plans])
    right.invert_yaxis()
    right.set_xlabel("GPUs (predicted)")
    traffic = report.assumptions.traffic
    right.set_title(f"{traffic.requests_per_second:g} requests/s, N={traffic.best_of_n}")
    for path in paths:
        picture.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)


def _against(axes: Axes, checked: Sequence[Checked], figure: str, label: str) -> None:
    found: list[Pair] = [pair for one in checked if (pair := getattr(one, figure))]
    if found:
        ends = [min(pair.measured for pair in found) / 1.5, max(pair.measured for pair in found) * 1.5]
        axes.plot(ends, ends, color="0.4", linewidth=1)
        axes.fill_between(ends, [(1 - GOAL) * end for end in ends], [(1 + GOAL) * end for end in ends], color="0.9")
        axes.errorbar(
            [pair.measured for pair in found],
            [pair.predicted for pair in found],
            xerr=[[pair.measured - pair.low for pair in found], [pair.high - pair.measured for pair in found]],
            fmt="o",
            markersize=4,
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_title(label)
    axes.set_xlabel("measured")
    axes.set_ylabel("predicted")
