"""The page `swaps`, and its plot: every request's latency over time, and how latencies are distributed."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final

from matplotlib.figure import Figure

from loadtests.report import Results, table
from loadtests.swaps.checks import Figures, Phase, Reread, check, figures

_INTRO: Final = """# Swaps under load

Whether swaps lose or mix anything. Clients ask for tournaments in closed loops while a policy's active version is
switched as fast as the server takes it; the phases before and after have no swaps. Each version is another adapter and
writes in an alphabet of its own, so a single token of another version shows in any candidate.
"""
_HEAD: Final = [
    *("phase", "requests", "a second", "p50 (s)", "p95 (s)", "p99 (s)", "failed", "untrue", "mixed", "versions"),
]
_COLOURS: Final = {"before": "tab:blue", "swaps": "tab:orange", "after": "tab:green"}


def results(load: str, phases: Sequence[Phase], reread: Sequence[Reread], alphabets: Mapping[str, str]) -> Results:
    """What was found, for people and for programs; alphabets by the versions' names."""
    found = [figures(phase, alphabets) for phase in phases]
    checks = check(phases, found, reread)
    swaps = phases[1].swaps
    sections = [
        table(_HEAD, map(_row, found)),
        f"{len(swaps)} swaps took {median(swaps):.2f} s each (median), {max(swaps):.2f} s at most.\n",
        "![Latency of each request](swaps.png)\n",
        "## What must hold\n",
        table(["", "found"], [(one.name, one.found if one.holds else f"**fails**: {one.found}") for one in checks]),
    ]
    data = {"checks": checks, "figures": found, "phases": [_phase(phase) for phase in phases]}
    failed = [f"{one.name}: {one.found}" for one in checks if not one.holds]
    return Results("swaps", _INTRO, {"load": load}, sections, data, _draw(phases), failed)


def _row(one: Figures) -> list[object]:
    latency = (f"{seconds:.2f}" for seconds in one.latency)
    return [one.name, one.requests, f"{one.per_second:.1f}", *latency, *one[-4:]]


def _phase(phase: Phase) -> dict[str, Any]:
    """With the whole of what failed, and the latencies of the rest."""
    failed = [answer for answer in phase.answers if not answer.texts]
    latencies = [answer.seconds for answer in phase.answers]
    return phase._asdict() | {"answers": failed, "latencies": latencies}


def _draw(phases: Sequence[Phase]) -> Figure:
    picture = Figure(figsize=(10, 4), layout="constrained")
    over_time, distribution = picture.subplots(1, 2, width_ratios=[2, 1], sharey=True)
    first = min(answer.started for phase in phases for answer in phase.answers)
    for phase in phases:
        colour = _COLOURS[phase.name]
        over_time.scatter(
            [answer.started - first for answer in phase.answers],
            [answer.seconds for answer in phase.answers],
            s=3,
            color=colour,
            label=f"{len(phase.swaps)} {phase.name}" if phase.swaps else phase.name,
        )
        seconds = sorted(answer.seconds for answer in phase.answers)
        distribution.plot([100 * (rank + 1) / len(seconds) for rank in range(len(seconds))], seconds, color=colour)
    over_time.set_xlabel("seconds since the first request")
    over_time.set_ylabel("seconds from request to answer")
    over_time.set_ylim(bottom=0)
    over_time.legend()
    distribution.set_xlabel("percentile")
    return picture
