"""Writes what was measured: a page for people with its plot, and the figures behind them.

Page and plot are kept. The figures go to a folder `raw` beside them, which git ignores for its size.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

DOTS_PER_INCH = 110


def write_results(
    folder: Path, name: str, page: str, data: Mapping[str, Any], picture: Figure | None = None
) -> list[Path]:
    """Writes raw/NAME.json, NAME.md and, where there is a picture, NAME.png; returns their paths in this order."""
    raw = folder / "raw" / f"{name}.json"
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_text(json.dumps(plain(data), indent=1) + "\n")
    paths = [raw, folder / f"{name}.md"]
    paths[1].write_text(page)
    if picture:
        paths.append(folder / f"{name}.png")
        picture.savefig(paths[-1], dpi=DOTS_PER_INCH)
    return paths


def plain(value: Any) -> Any:  # noqa: ANN401  JSON is untyped
    """Named tuples as objects, all the way down; figures to six digits."""
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
