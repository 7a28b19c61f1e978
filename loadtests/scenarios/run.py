"""One scenario: a server of its own, and a run of aiperf for each cell."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Final, NamedTuple

from tqdm import tqdm

from loadtests.scenarios import aiperf
from loadtests.scenarios.aiperf import Record, Target
from loadtests.scenarios.settings import Cell, Scenario
from loadtests.scenarios.watch import Look, watching
from loadtests.server import Connection, running_server

_ADMIN_KEY: Final = "scenarios"
_VERSIONS: Final = 4
_WARM_UP: Final = 4
_LOOK_SECONDS: Final = 5.0
_SEED: Final = 1


class Measured(NamedTuple):
    """What came of a cell."""

    cell: Cell
    records: list[Record]
    looks: list[Look]
    swaps: int


async def run_scenario(scenario: Scenario, model: Path, flags: Sequence[str]) -> list[Measured]:
    """Runs all cells.

    Raises:
        RuntimeError: if server or load generator fail.
    """
    cells = scenario.cells()
    swapping = any(cell.swap_seconds for cell in cells)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        versions = _publish(model, folder / "store") if swapping else []
        with_store = ["--adapters-dir", str(folder / "store")] if swapping else []
        connection = await stack.enter_async_context(
            running_server(
                [str(model), *with_store, *scenario.flags, *flags],
                folder / "server.log",
                {"SELFJUDGE_ADMIN_KEYS": _ADMIN_KEY},
            )
        )
        target = Target(connection.url, await _served(connection, versions), model, scenario.max_tokens)
        await _warm_up(connection, target)
        measured = []
        for index, cell in enumerate(bar := tqdm(cells, unit="cell")):
            bar.set_description(cell.name)
            (place := folder / str(index)).mkdir()
            await connection.forget()
            async with (
                watching(connection.process, _LOOK_SECONDS) as looks,
                _swaps(connection, cell, versions) as swaps,
            ):
                records = await aiperf.run(target, cell, place, _SEED + index)
            measured.append(Measured(cell, records, looks, len(swaps)))
        return measured


def _publish(model: Path, store: Path) -> list[str]:
    # They need torch and transformers, which scenarios without swaps do not.
    from loadtests.swaps.versions import publish_versions  # noqa: PLC0415
    from selfjudge.adapters.store import Store  # noqa: PLC0415

    return [version.name for version in publish_versions(model, Store(store), _VERSIONS)]


async def _served(connection: Connection, versions: Sequence[str]) -> str:
    """The model to ask: the policy whose versions are switched, or the base."""
    if versions:
        from loadtests.swaps.versions import POLICY  # noqa: PLC0415

        await _activate(connection, POLICY, versions[0])
        return POLICY
    async with connection.session.get("/v1/models") as response:
        return str((await response.json())["data"][0]["id"])


async def _activate(connection: Connection, policy: str, version: str) -> None:
    connection.session.headers["Authorization"] = f"Bearer {_ADMIN_KEY}"
    await connection.post(f"/v1/adapters/{policy}/activate", {"version": version})


@asynccontextmanager
async def _swaps(connection: Connection, cell: Cell, versions: Sequence[str]) -> AsyncIterator[list[str]]:
    """Switches versions in turn, and says which it has."""
    done: list[str] = []

    async def swap(pause: float) -> None:
        from loadtests.swaps.versions import POLICY  # noqa: PLC0415

        for version in cycle(versions):
            await asyncio.sleep(pause)
            await _activate(connection, POLICY, version)
            done.append(version)

    task = asyncio.create_task(swap(cell.swap_seconds)) if cell.swap_seconds else None
    try:
        yield done
    finally:
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()  # a swap that failed ends the scenario


async def _warm_up(connection: Connection, target: Target) -> None:
    body = {"model": target.model, "messages": [{"role": "user", "content": "Sort these letters: QDBA"}]}
    for _ in range(_WARM_UP):
        await connection.post("/v1/chat/completions", {**body, "best_of_n": 8})
