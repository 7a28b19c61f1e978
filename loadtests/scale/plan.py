"""How many replicas and GPUs a load needs, and what latency it then has, by simulation of one replica.

A replica's capacity is what it answers when there is always more to do. It is then given `utilization` of that, as
Poisson arrivals: requests that are routed at random reach each replica as such.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import quantiles
from typing import Final, NamedTuple

from loadtests.scale.assumptions import Assumptions
from loadtests.scale.costs import Costs, FrontCosts
from loadtests.scale.replica import Demand, Lengths, Settings
from loadtests.scale.roofline import RooflineCosts
from loadtests.scale.simulate import Outcome, closed_loop, open_loop

_REQUESTS: Final = 300
_WARM: Final = 0.25
"""Share of the requests at the beginning and at the end of a saturated run that is left out."""


class Plan(NamedTuple):
    """What one kind of replica can do, and how many are needed."""

    gpu: str
    gpus: int
    """Of a replica."""
    capacity: float
    """Requests a second that a saturated replica answers."""
    replicas: int
    total_gpus: int
    p50: float
    p95: float
    """Seconds from request to answer, at `utilization` of the capacity."""
    front_busy: float
    """Share of time that the front end works at capacity; near 1 it is the bottleneck, not the GPU."""
    sampling_share: float
    """Of tokens computed for sampling, over all computed."""
    cached_share: float
    """Of judge prompt tokens."""


def plan(assumptions: Assumptions, gpu: str, gpus: int, front: FrontCosts, hop: float) -> Plan:
    """For one kind of GPU, and so many of them in a replica.

    Raises:
        ValueError: if the model does not fit.
    """
    traffic = assumptions.traffic
    costs = RooflineCosts(assumptions.gpus[gpu], gpus, assumptions.model, assumptions.efficiency)
    limits = costs.limits()
    # Admission as the server's: what the engine runs at once, or fewer where its cache holds fewer candidates.
    room = limits.cache_tokens // (traffic.prompt_tokens + math.ceil(2 * traffic.response_tokens))
    settings = Settings(Costs(costs, front, hop), limits, min(limits.max_num_seqs, room))
    demand = demand_of(assumptions)
    clients = max(2, 2 * settings.max_candidates // traffic.best_of_n)
    full = closed_loop(settings, demand, clients, max(_REQUESTS, 4 * clients))
    capacity = throughput(full)
    loaded = open_loop(settings, demand, traffic.utilization * capacity, _REQUESTS)
    cuts = quantiles((one.seconds for one in loaded.answered), n=20)
    replicas = math.ceil(traffic.requests_per_second / (traffic.utilization * capacity))
    return Plan(
        assumptions.gpus[gpu].name,
        gpus,
        capacity,
        replicas,
        replicas * gpus,
        cuts[9],
        cuts[18],
        full.front_seconds[0] / full.seconds,
        *_shares(full, demand),
    )


def demand_of(assumptions: Assumptions) -> Demand:
    """What every request asks for."""
    traffic = assumptions.traffic
    return Demand(
        traffic.best_of_n,
        Lengths(
            traffic.prompt_tokens,
            traffic.response_tokens,
            traffic.response_variation,
            traffic.template_head_tokens,
            traffic.template_tail_tokens,
        ),
    )


def throughput(outcome: Outcome) -> float:
    """Answers a second, in the middle of a run."""
    at = sorted(one.sent + one.seconds for one in outcome.answered)
    first, last = int(_WARM * len(at)), int((1 - _WARM) * len(at))
    return (last - first) / (at[last] - at[first])


def what_if(
    assumptions: Assumptions, gpu: str, changes: Mapping[str, Sequence[float]], front: FrontCosts, hop: float
) -> list[tuple[str, Plan]]:
    """Plans with one assumption changed at a time, by its dotted name."""
    plans = []
    for name, values in changes.items():
        part, field = name.split(".")
        for value in values:
            changed = getattr(assumptions, part).model_copy(update={field: value})
            plans.append(
                (f"{name} = {value:g}", plan(assumptions.model_copy(update={part: changed}), gpu, 1, front, hop))
            )
    return plans


def _shares(outcome: Outcome, demand: Demand) -> tuple[float, float]:
    spent = outcome.engine[0]
    n, lengths, requests = demand.best_of_n, demand.lengths, len(outcome.answered)
    judged = 2 * (n - 1) * requests * (lengths.head + lengths.prompt + 2 * lengths.response + lengths.tail)
    sampling = requests * (lengths.prompt + n * lengths.response)
    return min(1.0, sampling / spent.computed), max(0.0, 1 - (spent.computed - sampling) / judged) if judged else 0.0
