"""What an experiment tells: a page for people with its plot, and the figures behind them.

Page and plot are kept. The figures go to a folder `raw` beside them, which git ignores for its size.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from matplotlib.figure import Figure
from typing_extensions import override

_DOTS_PER_INCH: Final = 110


class Results(NamedTuple):
    """One page."""

    name: str
    """Of its files."""
    intro: str
    """Its heading, and what was measured."""
    conditions: Mapping[str, str]
    sections: Sequence[str]
    data: Mapping[str, Any]
    picture: Figure | None = None
    failed: Sequence[str] = ()
    """What must hold and does not."""


class Spread(NamedTuple):
    """The middle of several rounds, the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """That of these."""
        return cls(median(values), min(values), max(values))

    @override
    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


class Quantiles(NamedTuple):
    """Seconds; 0 where there was nothing to measure."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Quantiles":
        """Those of these."""
        ordered = sorted(seconds) or [0.0]
        return cls(*(ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95, 0.99)))

    @override
    def __str__(self) -> str:
        return f"{self.p50:.3f}, {self.p95:.3f}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---:"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in lines)


def bullets(facts: Mapping[str, str]) -> str:
    """A list in Markdown."""
    return "".join(f"* {name}: {fact}\n" for name, fact in facts.items())


def write(folder: Path, about: Mapping[str, str], results: Results) -> list[Path]:
    """Writes raw/NAME.json, NAME.md and, where there is a picture, NAME.png; returns their paths in this order."""
    facts = {**about, **results.conditions}
    page, plot = (folder / f"{results.name}.{kind}" for kind in ("md", "png"))
    raw = folder / "raw" / f"{results.name}.json"
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_text(json.dumps(plain({"about": facts, **results.data}), indent=1) + "\n")
    page.write_text("\n".join([results.intro, bullets(facts), *results.sections]))
    if not results.picture:
        return [raw, page]
    results.picture.savefig(plot, dpi=_DOTS_PER_INCH)
    return [raw, page, plot]


def plain(value: Any) -> Any:  # noqa: ANN401  JSON is untyped
    """Named tuples as objects, all the way down; figures to six digits."""
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
