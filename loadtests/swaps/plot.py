"""Every request's latency over time, in the three phases, and how latencies are distributed in each."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from loadtests.swaps.scenario import Phase

_COLOURS = {"before": "tab:blue", "swaps": "tab:orange", "after": "tab:green"}


def draw(phases: Sequence[Phase]) -> Figure:
    """The picture."""
    picture = Figure(figsize=(10, 4), layout="constrained")
    over_time, distribution = picture.subplots(1, 2, width_ratios=[2, 1], sharey=True)
    first = min(answer.started for phase in phases for answer in phase.answers)
    for phase in phases:
        seconds = sorted(answer.seconds for answer in phase.answers)
        colour = _COLOURS[phase.name]
        over_time.scatter(
            [answer.started - first for answer in phase.answers],
            [answer.seconds for answer in phase.answers],
            s=3,
            color=colour,
            label=phase.name if not phase.swaps else f"{len(phase.swaps)} {phase.name}",
            rasterized=True,
        )
        distribution.plot([100 * (rank + 1) / len(seconds) for rank in range(len(seconds))], seconds, color=colour)
    over_time.set_xlabel("seconds since the first request")
    over_time.set_ylabel("seconds from request to answer")
    over_time.set_ylim(bottom=0)
    over_time.legend()
    distribution.set_xlabel("percentile")
    return picture
