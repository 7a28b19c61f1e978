"""A report: one JSON file for programs, one HTML page for people that needs no network, each plot as PNG."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from transformers.utils.generic import flatten_dict

from selfjudge_training.evaluation.plots import label
from selfjudge_training.evaluation.statistics import Estimate

DPI = 150


class Table(NamedTuple):
    """One table of a page."""

    title: str
    note: str
    """What is shown."""
    of: str
    """What has a row: the heading of the first column."""
    rows: Mapping[str, Mapping[str, object]]
    """All with the same keys. Estimates are shown with their interval, other values as they are."""

    @property
    def columns(self) -> list[str]:
        """All headings."""
        return [self.of, *map(label, next(iter(self.rows.values())))]


class Plot(NamedTuple):
    """One plot, in files called after it."""

    name: str
    caption: str
    figure: Figure


@dataclass
class Report:
    """All that is written."""

    title: str
    setting: dict[str, object]
    """What decided the figures: the resolved configuration."""
    summary: list[str] = field(default_factory=list)
    """Sentences at the top of the page."""
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    results: dict[str, object] = field(default_factory=dict)
    """For the JSON file; NamedTuples become objects."""


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write `report.json`, `report.html` and the plots into a folder that exists; returns their paths."""
    data, page = folder / "report.json", folder / "report.html"
    content = {"title": report.title, "setting": report.setting, "results": plain(report.results)}
    data.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    images = {plot.name: folder / f"{plot.name}.png" for plot in report.plots}
    for plot in report.plots:
        plot.figure.savefig(images[plot.name], dpi=DPI)
    sources = {name: f"data:image/png;base64,{b64encode(path.read_bytes()).decode()}" for name, path in images.items()}
    environment = Environment(
        loader=PackageLoader("selfjudge_training.evaluation", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["cell"] = cell
    template = environment.get_template("report.html.jinja")
    page.write_text(
        template.render(report=report, setting=flatten_dict(report.setting), sources=sources), encoding="utf-8"
    )
    return [data, *images.values(), page]


def plain(value: object) -> Any:  # noqa: ANN401  # whatever JSON has
    """The same with NamedTuples and mappings as dictionaries, other sequences as lists."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: plain(part) for key, part in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def cell(value: object) -> str:
    """A value as a table shows it: an estimate with its interval, numbers to three digits."""
    if isinstance(value, Estimate):
        return f"{_number(value.mean)} [{_number(value.low)}, {_number(value.high)}]"
    if isinstance(value, float):
        return _number(value)
    return "" if value is None else str(value)


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
