"""Writes what was measured: speed.json with every run, speed.md for people, speed.png and speed.svg."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtests.outcome import Measured, latencies
from loadtests.plot import draw
from loadtests.report import summarise
from loadtests.table import markdown

if TYPE_CHECKING:
    from loadtests.benchmark import Settings


def write_report(
    folder: Path, about: Mapping[str, str], settings: "Settings", measured: Sequence[Measured]
) -> list[Path]:
    """Writes all files, and says which."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = summarise(measured)
    paths = [folder / f"speed.{suffix}" for suffix in ("json", "md", "png", "svg")]
    data: dict[str, Any] = {
        "about": dict(about),
        "sampling": settings.sampling._asdict(),
        "rounds": settings.rounds,
        "figures": [plain(one) for one in figures],
        "runs": [_run(one) for one in measured],
    }
    paths[0].write_text(json.dumps(data, indent=1) + "\n")
    paths[1].write_text(markdown(about, settings.sampling, settings.rounds, figures))
    draw(figures, paths[2:])
    return paths


def plain(value: Any) -> Any:  # noqa: ANN401  JSON is untyped
    """Named tuples as objects, all the way down; figures to six digits."""
    if hasattr(value, "_asdict"):
        return {key: plain(part) for key, part in value._asdict().items()}
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _run(measured: Measured) -> dict[str, Any]:
    return {
        "cell": plain(measured.cell),
        "round": measured.round,
        "contenders": {
            name: {
                "seconds": plain(run.seconds),
                "latencies": [plain(second) for second in latencies(run)],
                "sampled_tokens": sum(outcome.sampled_tokens for outcome in run.outcomes),
                "judgments": sum(outcome.judgments for outcome in run.outcomes),
                "judge_tokens": sum(outcome.judge_tokens for outcome in run.outcomes),
                "cached_tokens": sum(outcome.cached_tokens for outcome in run.outcomes),
            }
            for name, run in measured.runs.items()
        },
    }
