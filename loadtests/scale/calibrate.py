"""From measured cells to costs: least squares over what was counted and how long each process ran on a processor.

Demands are additive (utilization law): the time that a process works is a linear function of counts of what it did.
Coefficients that come out negative are left out, and the others fitted again. Two figures are then left that processor
time does not show. `stretch`: processes share the machine with the load generator and whatever else runs, so that work
takes longer than its processor time; seen where several clients keep the server busy. `hop`: what single clients wait
for besides, the delay of messages between the processes.
"""

from collections.abc import Sequence
from statistics import mean, median
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from loadtests.scale.cells import Cell
from loadtests.scale.costs import Costs, FrontCosts, LinearCosts
from loadtests.scale.engine import Limits
from loadtests.scale.measure import Measurement
from loadtests.scale.replica import Demand, Lengths, Settings
from loadtests.scale.simulate import Outcome, arrivals, closed_loop

LIMITS: Final = Limits(max_num_seqs=128, max_num_batched_tokens=2048, block_size=32, cache_tokens=170_000)
"""vLLM's defaults on a CPU, and what the shipped model's cache of 1 GiB holds."""
_TAIL: Final = 4
"""Tokens of the shipped model's judgment template between and after the responses. A few decide here whether a block
of the cache is shared."""
_HOP_TRIED: Final = 1e-3
_CostsT = TypeVar("_CostsT", LinearCosts, FrontCosts)


class Prompts(NamedTuple):
    """Mean lengths in tokens, which a prediction is given: they depend on what the text is, and cells name sizes."""

    chat: int
    judge: int
    """0 where nothing is judged."""


class Calibration(NamedTuple):
    """What simulations are given."""

    engine: LinearCosts
    """Processor seconds."""
    front: FrontCosts
    """Processor seconds."""
    stretch: float
    """Seconds that work takes, over its processor seconds."""
    hop: float

    @property
    def costs(self) -> Costs:
        """Seconds that everything takes on this machine."""
        return Costs(_times(self.stretch, self.engine), _times(self.stretch, self.front), self.hop)


def calibrate(measured: Sequence[Measurement]) -> Calibration:
    """Costs that explain the measurements best."""
    front = FrontCosts(*_fit([_front(one) for one in measured], [one.work.front_seconds for one in measured]))
    engine = LinearCosts(*_fit([_engine(one) for one in measured], [one.work.engine_seconds for one in measured]))
    first = Calibration(engine, front, 1.0, 0.0)
    busy = [one for one in measured if one.cell.clients > 1]
    stretch = median(one.seconds / predict(first, one.cell, prompts_of(one)).seconds for one in busy)
    stretched = first._replace(stretch=stretch)
    return stretched._replace(hop=_hop([one for one in measured if one.cell.clients == 1], stretched))


def predict(calibration: Calibration, cell: Cell, prompts: Prompts, times: Sequence[float] = ()) -> Outcome:
    """What the model says of a cell whose prompts have these lengths, and whose requests came then, if not in loops."""
    # A chat's own template is as long as what a judge prompt has before its first response.
    again = max(0.0, (prompts.judge - prompts.chat - _TAIL) / (2 * cell.response))
    lengths = Lengths(prompts.chat, cell.response, 0.0, head=0, tail=_TAIL, again=again)
    settings = Settings(calibration.costs, LIMITS, LIMITS.max_num_seqs)
    demand = Demand(cell.best_of_n, lengths)
    if cell.rate:
        return arrivals(settings, demand, times)
    return closed_loop(settings, demand, cell.clients, cell.requests)


def with_its_time(calibration: Calibration, one: Measurement) -> Calibration:
    """Costs at which what a measurement counted takes the processor time that it took.

    A prediction made with them knows how long the work was, and has only to say how long it waited.
    """
    engine = one.work.engine_seconds / float(np.dot(calibration.engine, _engine(one)))
    front = one.work.front_seconds / float(np.dot(calibration.front, _front(one)))
    return calibration._replace(engine=_times(engine, calibration.engine), front=_times(front, calibration.front))


def prompts_of(*rounds: Measurement) -> Prompts:
    """Lengths of a cell's prompts."""
    requests = [request for one in rounds for request in one.requests]
    reads = 2 * sum(request.matches for request in requests)
    return Prompts(
        round(mean(request.prompt_tokens for request in requests)),
        round(sum(request.judge_tokens for request in requests) / reads) if reads else 0,
    )


def _times(factor: float, costs: _CostsT) -> _CostsT:
    return type(costs)(*(factor * cost for cost in costs))


def _fit(counts: Sequence[Sequence[float]], seconds: Sequence[float]) -> list[float]:
    """Non-negative costs of each count. Errors are relative, so that short cells count as much as long ones."""
    matrix = np.array(counts) / np.array(seconds)[:, None]
    kept = list(range(matrix.shape[1]))
    while True:
        found = _solve(matrix[:, kept])
        if (found >= 0).all():
            costs = [0.0] * matrix.shape[1]
            for index, value in zip(kept, found, strict=True):
                costs[index] = float(value)
            return costs
        kept.pop(int(np.argmin(found * matrix[:, kept].mean(axis=0))))


def _solve(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    # Counts differ by orders of magnitude. A count that is always 0 has no cost.
    scale = np.where(matrix.any(axis=0), np.abs(matrix).max(axis=0), 1.0)
    found: NDArray[np.float64] = np.linalg.lstsq(matrix / scale, np.ones(len(matrix)), rcond=1e-9)[0] / scale
    return found


def _front(one: Measurement) -> list[float]:
    return [
        len(one.requests),
        len(one.requests) * one.cell.best_of_n,
        sum(request.matches for request in one.requests),
        sum(request.judge_tokens for request in one.requests),
        one.work.steps,
        one.work.sampled_tokens,
    ]


def _engine(one: Measurement) -> list[float]:
    # A sequence samples a token in each of its steps, the one that ends its prompt among them; all but that one compute
    # a token of the answer.
    computed = one.work.prompt_tokens + one.work.sampled_tokens - one.work.requests
    return [one.work.steps, one.work.requests, one.work.sampled_tokens, computed, _pairs(one)]


def _pairs(one: Measurement) -> float:
    """Pairs of a computed token and one that it attends to, from lengths alone."""
    pairs = 0.0
    for request in one.requests:
        n, prompt, response = one.cell.best_of_n, request.prompt_tokens, one.cell.response
        pairs += prompt * (prompt + 1) / 2 + n * (response * prompt + response * (response + 1) / 2)
        if reads := 2 * request.matches:
            length = request.judge_tokens / reads
            computed = (request.judge_tokens - request.cached_tokens) / reads
            pairs += reads * computed * (length - computed / 2)
    return pairs


def _hop(singles: Sequence[Measurement], calibration: Calibration) -> float:
    """The delay at which single clients wait as long as they did: latency is linear in it, as nothing overlaps."""
    found = []
    for one in singles:
        real = median(request.seconds for request in one.requests)
        without, with_it = (
            median(answered.seconds for answered in predict(tried, one.cell, prompts_of(one)).answered)
            for tried in (calibration, calibration._replace(hop=_HOP_TRIED))
        )
        found.append(max(0.0, (real - without) / (with_it - without) * _HOP_TRIED))
    return median(found)
