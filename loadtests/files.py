"""What the benchmark writes: the page `speed`, its plot, and every run behind them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtests.outcome import Measured, latencies
from loadtests.plot import draw
from loadtests.report import summarise
from loadtests.results import write_results
from loadtests.table import markdown

if TYPE_CHECKING:
    from loadtests.benchmark import Settings


def write_report(
    folder: Path, about: Mapping[str, str], settings: "Settings", measured: Sequence[Measured]
) -> list[Path]:
    """Writes all files, and says which."""
    figures = summarise(measured)
    data: dict[str, Any] = {
        "about": dict(about),
        "sampling": settings.sampling._asdict(),
        "rounds": settings.rounds,
        "figures": figures,
        "runs": [_run(one) for one in measured],
    }
    page = markdown(about, settings.sampling, settings.rounds, figures)
    return write_results(folder, "speed", page, data, draw(figures))


def _run(measured: Measured) -> dict[str, Any]:
    return {
        "cell": measured.cell,
        "round": measured.round,
        "contenders": {
            name: {
                "seconds": run.seconds,
                "latencies": latencies(run),
                "sampled_tokens": sum(outcome.sampled_tokens for outcome in run.outcomes),
                "judgments": sum(outcome.judgments for outcome in run.outcomes),
                "judge_tokens": sum(outcome.judge_tokens for outcome in run.outcomes),
                "cached_tokens": sum(outcome.cached_tokens for outcome in run.outcomes),
            }
            for name, run in measured.runs.items()
        },
    }
