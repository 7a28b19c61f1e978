"""The files of an evaluation: the report as JSON, and its curve over N as PNG and SVG."""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt  # the backend must be chosen first

STYLES = {
    "oracle": ("best of N (oracle)", "#888888", "--"),
    "tournament": ("tournament, the model its own judge", "#0b6e4f", "-"),
    "majority": ("majority vote", "#c8553d", "-"),
}


def write_results(report: dict[str, Any], directory: Path) -> list[Path]:
    """Write ``model-evaluation.json`` and ``.png``, and return their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "model-evaluation.json"
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return [path, _plot(report, directory)]


def _plot(report: dict[str, Any], directory: Path) -> Path:
    curves = report["selection"]["exact_match"]
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    sizes = [int(size) for size in curves["tournament"]]
    for way, (label, colour, line) in STYLES.items():
        points = list(curves[way].values())
        axes.plot(sizes, [point["mean"] for point in points], line, marker="o", color=colour, label=label)
        low, high = ([point[bound] for point in points] for bound in ("low", "high"))
        axes.fill_between(sizes, low, high, color=colour, alpha=0.15, lw=0)
    axes.axhline(report["greedy"]["mean"], color="#4062bb", lw=1, ls=":", label="greedy decoding")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("N, samples at temperature 1")
    axes.set_ylabel("exact match")
    axes.set_title(f"{report['model']}: {report['prompts']} held-out prompts, 95% intervals")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    path = directory / "model-evaluation.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path
