"""A report: one JSON file for programs, one HTML page for people that needs no network, each plot as PNG."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from selfjudge_training.evaluation.statistics import Estimate

DPI = 150

LABELS = {
    "place_a": "P(A)",
    "chosen_shorter": "chosen is shorter",
    "repetition": "4-gram repetition",
    "baseline_length": "its length",
    "n": "N",
}
"""What tables call figures, where it is not their name in the JSON file."""


class Table(NamedTuple):
    """One table of a page."""

    title: str
    note: str
    """What is shown."""
    rows: list[dict[str, object]]
    """All with the same keys. Estimates are shown with their interval, other values as they are."""

    @property
    def columns(self) -> list[str]:
        """Their headings."""
        return [LABELS.get(key, key.replace("_", " ")) for key in self.rows[0]]


class Plot(NamedTuple):
    """One plot, in files called after it."""

    name: str
    caption: str
    figure: Figure


@dataclass
class Report:
    """All that is written."""

    title: str
    setting: Mapping[str, object]
    """What decided the figures: the resolved configuration."""
    summary: list[str] = field(default_factory=list)
    """Sentences at the top of the page."""
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    results: dict[str, object] = field(default_factory=dict)
    """For the JSON file; NamedTuples become objects."""


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write `report.json`, `report.html` and the plots into a folder that exists; returns their paths."""
    content = {"title": report.title, "setting": report.setting, "results": plain(report.results)}
    images = {plot.name: _png(plot.figure) for plot in report.plots}
    files = {
        "report.json": json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n",
        **{f"{name}.png": image for name, image in images.items()},
        "report.html": _html(report, images).encode(),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


def plain(value: object) -> Any:  # noqa: ANN401  # whatever JSON has
    """The same with NamedTuples and mappings as dictionaries, other sequences as lists."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: plain(part) for key, part in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def _html(report: Report, images: Mapping[str, bytes]) -> str:
    environment = Environment(
        loader=PackageLoader("selfjudge_training.evaluation", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["cell"] = cell
    sources = {name: f"data:image/png;base64,{b64encode(image).decode()}" for name, image in images.items()}
    setting = dict(dotted(report.setting))
    return environment.get_template("report.html.jinja").render(report=report, setting=setting, sources=sources)


def dotted(setting: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """The leaves of a configuration by their dotted keys; what is not set is left out."""
    for key, value in setting.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value


def cell(value: object) -> str:
    """A value as a table shows it: an estimate with its interval, numbers to three digits."""
    if isinstance(value, Estimate):
        return f"{_number(value.mean)} [{_number(value.low)}, {_number(value.high)}]"
    if isinstance(value, float):
        return _number(value)
    return "" if value is None else str(value)


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
