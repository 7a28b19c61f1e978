"""What LoRA costs: a start that loads versions, and requests to the base of a server that has them.

Servers without a store and with one take turns; each is started anew in each round.
"""

import time
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from loadtests.server import running_server
from loadtests.swaps.load import Load, Request
from loadtests.swaps.scenario import Settings, flags
from loadtests.swaps.versions import POLICY


class Start(NamedTuple):
    """One server's start and how many requests a second it answered."""

    seconds: float
    """Until it was ready."""
    base: float
    """Requests a second, to the base model."""
    policy: float | None
    """To a policy; None without a store."""


class Round(NamedTuple):
    """One server of each kind."""

    plain: Start
    with_store: Start


async def measure_costs(settings: Settings, store: Path, logs: Path) -> list[Round]:
    """Starts and measures servers without a store and with one, in turn; logs go to a folder."""
    return [
        Round(
            await _start(settings, None, logs / f"plain-{number}.log"),
            await _start(settings, store, logs / f"store-{number}.log"),
        )
        for number in tqdm(range(settings.rounds), desc="servers without and with a store", unit="round")
    ]


async def _start(settings: Settings, store: Path | None, log: Path) -> Start:
    started = time.perf_counter()
    async with running_server(flags(settings, store), log) as connection:
        seconds = time.perf_counter() - started
        base = Load(connection.session, Request(None, settings.best_of_n), settings.clients)
        policy = Load(connection.session, Request(POLICY, settings.best_of_n), settings.clients)
        return Start(seconds, await _rate(base, settings), await _rate(policy, settings) if store else None)


async def _rate(load: Load, settings: Settings) -> float:
    """Requests a second, after as many as there are clients to warm up."""
    wanted = settings.requests // 3
    async with load.running() as answers:
        await load.reach(settings.clients)
        begun, started = len(answers), time.perf_counter()
        await load.reach(begun + wanted)
        rate = (len(answers) - begun) / (time.perf_counter() - started)
    if failed := [answer.named for answer in answers if answer.status != HTTPStatus.OK]:
        raise RuntimeError(f"{len(failed)} requests failed, the first so: {failed[0]}")
    return rate
