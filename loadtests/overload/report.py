"""What is written: the page `overload`, its plot, and every request behind them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.overload.figures import ClosedLoop, Crowd, Overload
from loadtests.overload.phases import Reply
from loadtests.results import write_results

_TEXT = """# Overload

What becomes of requests when far more come than the server can answer, measured by `python -m loadtests.overload`. Load
generator and server share the machine. Every request is a tournament. All of it is measured twice: by default requests
wait up to `--queue-seconds`; `--queue-share` holds the queue, and so latencies, small.
"""
_QUEUE = """## With {queue}
"""
_CAPACITY = """### Capacity

Clients in closed loops, each sending its next request once it has an answer. At capacity, the last row, as many
tournaments run as the server lets run at once (`--max-candidates`, left at its default unless the command says
otherwise), and nobody waits for admission. Status 0 stands for connections that failed.
"""
_COMPANY = """### More clients than run at once

The same with more clients than tournaments run at once.
"""
_OVERLOAD = """### Beyond capacity

Poisson arrivals in an open loop; nobody comes back. Latencies are of admitted requests, from sending to whole answer,
time in the queue included. The bar: no other status than 200 and 429. With a small queue, latencies within 2 times
those at capacity; else, within `--queue-seconds` and the time that a request takes.
"""
_CROWD = """### A crowd that does as it is told

Arrivals at the same rate for a shorter time. Whoever is refused waits as long as `Retry-After` says and comes back,
until it is answered. Times told spread the crowd: each one refused is told a later time than the one before. It comes
after the last time that anybody was told before.
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
    sections = [_TEXT, _list(about)]
    for name, one in measured.items():
        sections += [_QUEUE.format(queue=name), *_sections(one)]
    return "\n".join([*sections, "![Latencies and returns](overload.png)\n"])


def _plain(measured: Measured) -> dict[str, object]:
    replies, visitors = measured.replies, measured.visitors
    return measured._asdict() | {
        "replies": [list(reply) for reply in replies],
        "visitors": [[list(reply) for reply in replies] for replies in visitors],
    }


def _sections(measured: Measured) -> list[str]:
    over, crowd, capacity = measured.overload, measured.crowd, measured.capacity
    beyond = {
        "offered": f"{over.offered:.0f} requests/s for {over.seconds:.0f} s, "
        f"{over.offered / capacity.throughput:.1f} times the capacity of {capacity.throughput:.1f}",
        "statuses": _told(over.statuses),
        "answered": f"{over.throughput:.1f} requests/s, {over.throughput / capacity.throughput:.0%} of capacity",
        "latency of admitted requests": f"p50 {over.admitted.p50:.2f} s, p95 {over.admitted.p95:.2f} s: "
        f"{over.over_capacity.p50:.2f} and {over.over_capacity.p95:.2f} times those at capacity",
        "time to a refusal": f"p50 {over.refusal.p50:.3f} s, p95 {over.refusal.p95:.3f} s",
    }
    returning = {
        "visitors": f"{crowd.visitors}, of whom {crowd.admitted_at_once:.0%} were admitted at once",
        "last statuses": _told(crowd.statuses),
        "told at first": f"p50 {crowd.told_p50:.0f} s, at most {crowd.told_longest:.0f} s",
        "admitted when they came back": f"{crowd.first_return:.0%} the first time, "
        f"{crowd.second_return:.0%} by the second; {crowd.returns:.2f} returns on average",
        "time until the last was answered": f"{crowd.seconds:.1f} s; at capacity so many need {crowd.needed:.1f} s",
    }
    return [
        _CAPACITY,
        _loops(measured.levels),
        _COMPANY,
        _loops([measured.company]),
        _OVERLOAD,
        _list(beyond),
        _CROWD,
        _list(returning),
    ]


def _loops(loops: Sequence[ClosedLoop]) -> str:
    rows = [
        [
            str(one.clients),
            f"{one.throughput:.1f}",
            f"{one.latency.p50:.2f}",
            f"{one.latency.p95:.2f}",
            _told(one.statuses),
        ]
        for one in loops
    ]
    return _table(["clients", "requests/s", "p50 (s)", "p95 (s)", "statuses"], rows)


def _told(statuses: Mapping[int, int]) -> str:
    return ", ".join(f"{status}: {count}" for status, count in statuses.items())


def _list(facts: Mapping[str, str]) -> str:
    return "".join(f"* {name}: {fact}\n" for name, fact in facts.items())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, ["---:"] * len(head), *rows])


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
    axes.set_title("a crowd that does as it is told")
    axes.set_xlabel("time (s)")
    axes.set_ylabel("visitors")
    axes.legend()
