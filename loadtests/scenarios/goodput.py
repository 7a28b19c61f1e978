"""From requests to figures: how many came back in time, and what that took."""

from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from statistics import mean
from typing import Final, NamedTuple

import numpy as np

from loadtests.processes import Look
from loadtests.report import Quantiles
from loadtests.scenarios.aiperf import Record
from loadtests.scenarios.cells import Cell, Objectives

FLAT: Final = 0.01
"""Memory is flat if it grows by less than this share of itself in the last three quarters of the time."""
_SETTLED: Final = 0.25


class Measured(NamedTuple):
    """What came of a cell."""

    cell: Cell
    records: list[Record]
    looks: list[Look]
    swaps: int


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
    good: float
    """Share of all requests that were answered within both objectives."""
    progress: Quantiles
    """Until a stream's first progress event, or its first token where there is none; of those answered."""
    answer: Quantiles
    """Until the whole answer."""
    late: float
    """95th percentile of how much later than due the generator sent."""
    per_core: float
    """Requests answered in a second of one processor."""
    memory: Memory
    swaps: int


def summarise(measured: Sequence[Measured], objectives: Objectives) -> list[Figures]:
    """The figures of every cell."""
    return [_figures(one, objectives) for one in measured]


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


def _figures(one: Measured, objectives: Objectives) -> Figures:
    cell, records = one.cell, one.records
    answered = [record for record in records if record.status == HTTPStatus.OK]
    good = sum(is_good(record, cell, objectives) for record in records)
    # The looks begin before the first request, when the server has nothing to do.
    cpu = one.looks[-1].cpu_seconds - one.looks[0].cpu_seconds
    return Figures(
        cell=cell,
        statuses=dict(sorted(Counter(record.status for record in records).items())),
        good=good / len(records),
        progress=Quantiles.of(record.progress for record in answered if record.progress is not None),
        answer=Quantiles.of(record.seconds for record in answered),
        late=Quantiles.of(record.late for record in records).p95,
        per_core=len(answered) / cpu if cpu else 0.0,
        memory=memory(one.looks),
        swaps=one.swaps,
    )
