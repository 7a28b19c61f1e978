"""From requests to figures."""

from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from statistics import mean
from typing import Final, NamedTuple

import numpy as np

from loadtests.scenarios.aiperf import Record
from loadtests.scenarios.run import Measured
from loadtests.scenarios.settings import Cell, Objectives
from loadtests.scenarios.watch import Look

FLAT: Final = 0.01
"""Memory is flat if it grows by less than this share of itself in the last three quarters of the time."""
_SETTLED: Final = 0.25


class Quantiles(NamedTuple):
    """Seconds."""

    p50: float
    p95: float


class Memory(NamedTuple):
    """Of all of the server's processes, in MiB; what they share is counted once, and pages of files are not."""

    first: float
    last: float
    growth: float
    """Over the last three quarters of the time, by the line that fits best."""
    flat: bool


class Figures(NamedTuple):
    """One cell."""

    cell: Cell
    statuses: dict[int, int]
    answered: float
    """Requests a second answered with 200."""
    good: float
    """Share of all requests that were answered within both objectives."""
    goodput: float
    """Those, a second."""
    progress: Quantiles | None
    """Until a stream's first progress event, or its first token where there is none; of those answered."""
    answer: Quantiles | None
    """Until the whole answer."""
    over_plain: float | None
    """Median answer over that of N=1, all else the same."""
    late: float
    """95th percentile of how much later than due the generator sent."""
    cores: float
    """Processors that the server used, on average."""
    per_core: float
    """Requests answered in a second of one processor."""
    memory: Memory
    swaps: int


def summarise(measured: Sequence[Measured], objectives: Objectives) -> list[Figures]:
    """The figures of every cell."""
    plain = {_but_n(one.cell): _quantiles(_answers(one)) for one in measured if one.cell.best_of_n == 1}
    return [_figures(one, objectives, plain.get(_but_n(one.cell))) for one in measured]


def is_good(record: Record, cell: Cell, objectives: Objectives) -> bool:
    """Whether a request met the objectives."""
    if record.status != HTTPStatus.OK or record.seconds > objectives.answer_seconds:
        return False
    return not cell.streaming or (record.progress is not None and record.progress <= objectives.first_progress_seconds)


def memory(looks: Sequence[Look]) -> Memory:
    """Whether it grows. The first quarter is left out: caches fill."""
    settled = [look for look in looks if look.at >= _SETTLED * looks[-1].at]
    at, held = [look.at for look in settled], [look.memory_mib for look in settled]
    slope = float(np.polyfit(at, held, 1)[0]) if len(settled) > 1 else 0.0
    growth = slope * (at[-1] - at[0])
    return Memory(looks[0].memory_mib, looks[-1].memory_mib, growth, growth < FLAT * mean(held))


def _figures(one: Measured, objectives: Objectives, plain: Quantiles | None) -> Figures:
    cell, records = one.cell, one.records
    answered = [record for record in records if record.status == HTTPStatus.OK]
    seconds = max(record.sent + record.seconds for record in records)
    good = sum(is_good(record, cell, objectives) for record in records)
    answer = _quantiles(_answers(one))
    cpu = one.looks[-1].cpu_seconds - one.looks[0].cpu_seconds
    return Figures(
        cell=cell,
        statuses=dict(sorted(Counter(record.status for record in records).items())),
        answered=len(answered) / seconds,
        good=good / len(records),
        goodput=good / seconds,
        progress=_quantiles([record.progress for record in answered if record.progress is not None]),
        answer=answer,
        over_plain=answer.p50 / plain.p50 if answer and plain and cell.best_of_n > 1 else None,
        late=_quantile(sorted(record.late for record in records), 0.95),
        # The looks begin before the first request, when the server has nothing to do.
        cores=cpu / seconds,
        per_core=len(answered) / cpu if cpu else 0.0,
        memory=memory(one.looks),
        swaps=one.swaps,
    )


def _answers(one: Measured) -> list[float]:
    return [record.seconds for record in one.records if record.status == HTTPStatus.OK]


def _quantiles(seconds: Sequence[float]) -> Quantiles | None:
    ordered = sorted(seconds)
    return Quantiles(_quantile(ordered, 0.5), _quantile(ordered, 0.95)) if ordered else None


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _but_n(cell: Cell) -> Cell:
    return cell._replace(best_of_n=1)
