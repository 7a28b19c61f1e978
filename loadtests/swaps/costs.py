"""What LoRA costs: a start that loads versions, and requests to the base of a server that has them.

Servers without a store and with one take turns; each is started anew in each round.
"""

import time
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from loadtests.server import running_server
from loadtests.swaps.load import Load, Request, rate
from loadtests.swaps.scenario import Settings
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
    flags = [str(settings.model), *(() if store is None else ("--adapters-dir", str(store)))]
    started = time.perf_counter()
    async with running_server(flags, log) as connection:
        seconds = time.perf_counter() - started
        base = Load(connection.session, Request(None, settings.best_of_n), settings.clients)
        policy = Load(connection.session, Request(POLICY, settings.best_of_n), settings.clients)
        wanted = settings.requests // 3
        return Start(seconds, await rate(base, wanted), await rate(policy, wanted) if store else None)
