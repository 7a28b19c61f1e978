"""The page `overload` and its plot."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.overload.tally import ClosedLoop, Measured
from loadtests.report import Results, table

_INTRO: Final = """# Overload

Answers and refusals when far more requests come than the server can answer, measured by `python -m loadtests overload`:
by default (requests wait up to `--queue-seconds`) and with a small queue (`--queue-share`). Every request is a
tournament. Load generator and server share the machine.
"""
_EXPLAINED: Final = """\
* **N clients** in closed loops: requests/s; p50, p95. **Capacity** is the last but one: as many tournaments
  run as the server admits, and none waits.
* **Beyond capacity**: Poisson arrivals in an open loop, no retries. Required: no status but 200 and 429; latency of
  admitted requests within 2 times that at capacity with a small queue, else within `--queue-seconds` plus one request.
* **Retrying crowd**: the same arrivals for a shorter time. A refused client waits as long as `Retry-After` says and
  comes back until it is answered. Each refused client is told a later time than the one before.
"""


def results(requests: str, measured: Mapping[str, Measured]) -> Results:
    """What was found, for people and for programs; what was measured is named by its queue."""
    columns = [_column(one) for one in measured.values()]
    rows = [[fact, *(column[fact] for column in columns)] for fact in columns[0]]
    sections = [table(["", *measured], rows), _EXPLAINED, "![Latencies and returns](overload.png)\n"]
    return Results("overload", _INTRO, {"requests": requests}, sections, {"queues": measured}, _draw(measured))


def _column(one: Measured) -> dict[str, str]:
    over, crowd, capacity = one.overload, one.crowd, one.capacity
    times = [admitted / usual for admitted, usual in zip(over.admitted, capacity.latency, strict=True)]
    return {
        **{f"{loop.clients} clients": _loop(loop) for loop in one.loops},
        "beyond capacity: offered": f"{over.offered:.0f}/s for {over.seconds:.0f} s, "
        f"{over.offered / capacity.throughput:.1f} times the capacity",
        "statuses": _told(over.statuses),
        "answered": f"{over.throughput:.1f}/s, {over.throughput / capacity.throughput:.0%} of capacity",
        "p50, p95 of admitted requests": f"{over.admitted.p50:.2f} s, {over.admitted.p95:.2f} s: "
        f"{times[0]:.2f} and {times[1]:.2f} times those at capacity",
        "p50, p95 of refusals": f"{over.refusal.p50:.3f} s, {over.refusal.p95:.3f} s",
        "retrying crowd: clients": f"{crowd.visitors}, {crowd.admitted_at_once:.0%} admitted at once",
        "last statuses": _told(crowd.statuses),
        "first `Retry-After` of the refused": f"p50 {crowd.told_p50:.0f} s, at most {crowd.told_longest:.0f} s",
        "admitted by return": f"{crowd.first_return:.0%} the first, {crowd.second_return:.0%} by the second; "
        f"{crowd.returns:.2f} returns on average",
        "last one answered": f"after {crowd.seconds:.1f} s; at capacity {crowd.needed:.1f} s",
    }


def _loop(one: ClosedLoop) -> str:
    refused = "" if set(one.statuses) == {HTTPStatus.OK} else f" ({_told(one.statuses)})"
    return f"{one.throughput:.1f}/s; {one.latency.p50:.2f} s, {one.latency.p95:.2f} s{refused}"


def _told(statuses: Mapping[int, int]) -> str:
    return ", ".join(f"{status}: {count}" for status, count in statuses.items())


def _draw(measured: Mapping[str, Measured]) -> Figure:
    picture = Figure(figsize=(11, 3.8 * len(measured)), layout="constrained")
    rows = picture.subplots(len(measured), 2, squeeze=False)
    for (name, one), (left, right) in zip(measured.items(), rows, strict=True):
        _draw_admitted(left, one)
        _draw_returns(right, one)
        left.set_ylabel(f"latency (s), {name.replace('`', '')}")
    return picture


def _draw_admitted(axes: Axes, one: Measured) -> None:
    admitted = [reply for reply in one.replies if reply.retry_after is None]
    axes.plot(
        [reply.sent for reply in admitted], [reply.seconds for reply in admitted], ".", markersize=3, label="admitted"
    )
    axes.axhline(one.capacity.latency.p50, color="0.4", label="p50 at capacity")
    axes.axhline(one.capacity.latency.p95, color="0.4", linestyle=":", label="p95 at capacity")
    axes.set_title(f"{one.overload.offered / one.capacity.throughput:.0f} times capacity")
    axes.set_xlabel("sent (s)")
    axes.set_ylim(bottom=0)
    axes.legend()


def _draw_returns(axes: Axes, one: Measured) -> None:
    ended = sorted(replies[-1].sent + replies[-1].seconds for replies in one.visitors)
    came = sorted(replies[0].sent for replies in one.visitors)
    axes.plot(ended, range(1, len(ended) + 1), label="answered")
    axes.plot(came, range(1, len(came) + 1), label="came first")
    axes.plot([0, one.crowd.needed], [0, len(ended)], color="0.4", linestyle=":", label="at capacity")
    axes.set_title("a retrying crowd")
    axes.set_xlabel("time (s)")
    axes.set_ylabel("visitors")
    axes.legend()
