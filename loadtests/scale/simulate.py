"""Requests that come to simulated replicas: by clients in closed loops, or at times of their own."""

import random
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import NamedTuple

from loadtests.scale.clock import Clock
from loadtests.scale.engine import Spent
from loadtests.scale.replica import Answered, Demand, Replica, Settings


class Outcome(NamedTuple):
    """What came of a simulation."""

    answered: list[Answered]
    """In order of their answers."""
    seconds: float
    """Until the last answer."""
    engine: list[Spent]
    """Of each replica."""
    front_seconds: list[float]
    """Work of each replica's front end."""


def closed_loop(settings: Settings, demand: Demand, clients: int, requests: int, seed: int = 0) -> Outcome:
    """One replica, and clients that each send their next request once they have an answer."""
    clock = Clock()
    replica = Replica(clock, settings, random.Random(seed))
    todo = iter(range(requests))
    answered: list[Answered] = []

    def ask() -> None:
        if next(todo, None) is not None:
            replica.ask(demand, got)

    def got(one: Answered) -> None:
        answered.append(one)
        ask()

    for _ in range(clients):
        ask()
    clock.run()
    return _outcome(clock, [replica], answered)


def poisson(rate: float, requests: int, draws: random.Random) -> list[float]:
    """Times of Poisson arrivals, `rate` a second."""
    return list(accumulate(draws.expovariate(rate) for _ in range(requests)))


def open_loop(
    settings: Settings, demand: Demand, rate: float, requests: int, replicas: int = 1, seed: int = 0
) -> Outcome:
    """Poisson arrivals, `rate` a second."""
    return arrivals(settings, demand, poisson(rate, requests, random.Random(seed)), replicas, seed)


def arrivals(settings: Settings, demand: Demand, times: Sequence[float], replicas: int = 1, seed: int = 0) -> Outcome:
    """Requests that come at given times, each to a replica chosen at random."""
    clock = Clock()
    draws = random.Random(seed)
    each = [Replica(clock, settings, draws) for _ in range(replicas)]
    answered: list[Answered] = []
    for at in times:
        clock.after(at, partial(draws.choice(each).ask, demand, answered.append))
    clock.run()
    return _outcome(clock, each, answered)


def _outcome(clock: Clock, replicas: list[Replica], answered: list[Answered]) -> Outcome:
    return Outcome(
        answered,
        clock.now,
        [replica.engine.spent for replica in replicas],
        [replica.front.busy for replica in replicas],
    )
