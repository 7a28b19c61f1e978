"""What is written: the page `overload`, its plot, and every request behind them."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.overload.figures import ClosedLoop, Crowd, Overload
from loadtests.overload.phases import Reply
from loadtests.results import write_results

_TEXT = """# Overload

What becomes of requests when far more come than the server can answer, measured by `python -m loadtests.overload`: by
default (requests wait up to `--queue-seconds`) and with a small queue (`--queue-share`). Every request is a tournament.
Load generator and server share the machine.
"""
_EXPLAINED = """
* **Capacity** is the last but one of the closed loops: as many tournaments run as the server admits, and none waits.
* **Beyond capacity**: Poisson arrivals in an open loop, no retries. Required: no status but 200 and 429; latency of
  admitted requests within 2 times that at capacity with a small queue, else within `--queue-seconds` plus one request.
* **Retrying crowd**: the same arrivals for a shorter time. A refused client waits as long as `Retry-After` says and
  comes back until it is answered. Each refused client is told a later time than the one before.
"""


class Measured(NamedTuple):
    """All figures of one queue, and the requests of overload and crowd."""

    levels: list[ClosedLoop]
    capacity: ClosedLoop
    company: ClosedLoop
    overload: Overload
    crowd: Crowd
    replies: list[Reply]
    visitors: list[list[Reply]]


def write(folder: Path, about: Mapping[str, str], measured: Mapping[str, Measured]) -> list[Path]:
    """Writes all files, and says which; what was measured is named by the queue it was measured with."""
    data = {"about": dict(about), "queues": {name: _plain(one) for name, one in measured.items()}}
    return write_results(folder, "overload", markdown(about, measured), data, _draw(measured))


def markdown(about: Mapping[str, str], measured: Mapping[str, Measured]) -> str:
    """The whole page."""
    columns = [_column(one) for one in measured.values()]
    rows = [[fact, *(column[fact] for column in columns)] for fact in columns[0]]
    table = _table(["", *measured], rows)
    picture = "\n![Latencies and returns](overload.png)\n"
    return "\n".join([_TEXT, _list(about), table]) + _EXPLAINED + picture


def _plain(measured: Measured) -> dict[str, object]:
    replies, visitors = measured.replies, measured.visitors
    return measured._asdict() | {
        "replies": [list(reply) for reply in replies],
        "visitors": [[list(reply) for reply in replies] for replies in visitors],
    }


def _column(measured: Measured) -> dict[str, str]:
    over, crowd, capacity = measured.overload, measured.crowd, measured.capacity
    loops = [*measured.levels, measured.company]
    return {
        **{f"{one.clients} clients: requests/s, p50, p95": _loop(one) for one in loops},
        "beyond capacity: offered": f"{over.offered:.0f}/s for {over.seconds:.0f} s, "
        f"{over.offered / capacity.throughput:.1f} times the capacity",
        "statuses": _told(over.statuses),
        "answered": f"{over.throughput:.1f}/s, {over.throughput / capacity.throughput:.0%} of capacity",
        "p50, p95 of admitted requests": f"{over.admitted.p50:.2f} s, {over.admitted.p95:.2f} s: "
        f"{over.over_capacity.p50:.2f} and {over.over_capacity.p95:.2f} times those at capacity",
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
    return f"{one.throughput:.1f}, {one.latency.p50:.2f} s, {one.latency.p95:.2f} s{refused}"


def _told(statuses: Mapping[int, int]) -> str:
    return ", ".join(f"{status}: {count}" for status, count in statuses.items())


def _list(facts: Mapping[str, str]) -> str:
    return "".join(f"* {name}: {fact}\n" for name, fact in facts.items())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, ["---"] * len(head), *rows])


def _draw(measured: Mapping[str, Measured]) -> Figure:
    picture = Figure(figsize=(11, 3.8 * len(measured)), layout="constrained")
    rows = picture.subplots(len(measured), 2, squeeze=False)
    for (name, one), (left, right) in zip(measured.items(), rows, strict=True):
        _admitted(left, one)
        _returns(right, one)
        left.set_ylabel(f"latency (s), {name.replace('`', '')}")
    return picture


def _admitted(axes: Axes, measured: Measured) -> None:
    answered = [reply for reply in measured.replies if reply.retry_after is None]
    axes.plot([one.sent for one in answered], [one.seconds for one in answered], ".", markersize=3, label="admitted")
    axes.axhline(measured.capacity.latency.p50, color="0.4", label="p50 at capacity")
    axes.axhline(measured.capacity.latency.p95, color="0.4", linestyle=":", label="p95 at capacity")
    axes.set_title(f"{measured.overload.offered / measured.capacity.throughput:.0f} times capacity")
    axes.set_xlabel("sent (s)")
    axes.set_ylim(bottom=0)
    axes.legend()


def _returns(axes: Axes, measured: Measured) -> None:
    ended = sorted(replies[-1].sent + replies[-1].seconds for replies in measured.visitors)
    axes.plot(ended, range(1, len(ended) + 1), label="answered")
    came = sorted(replies[0].sent for replies in measured.visitors)
    axes.plot(came, range(1, len(came) + 1), label="came first")
    axes.plot([0, measured.crowd.needed], [0, len(ended)], color="0.4", linestyle=":", label="at capacity")
    axes.set_title("a retrying crowd")
    axes.set_xlabel("time (s)")
    axes.set_ylabel("visitors")
    axes.legend()
