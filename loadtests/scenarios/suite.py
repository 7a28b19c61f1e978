"""What comes back in time under arrivals that don't wait, by aiperf (`make aiperf`).

Each scenario has a server of its own, and a run of aiperf for each of its cells.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Final

from tqdm import tqdm

from loadtests.processes import watching
from loadtests.report import Results
from loadtests.scenarios import aiperf, cells
from loadtests.scenarios.aiperf import Target
from loadtests.scenarios.cells import Cell, Scenario
from loadtests.scenarios.goodput import Measured
from loadtests.scenarios.scenario_page import results
from loadtests.server import Connection, running_server
from loadtests.swaps.askers import POLICY

_ALL: Final = "all"
_VERSIONS: Final = 4
_WARM_UP: Final = 4
_LOOK_SECONDS: Final = 5.0
_SEED: Final = 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of scenarios."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="scenarios that the page is to hold, or all")
    parser.add_argument("--scenarios", type=Path, default=cells.SHIPPED, help="file of scenarios and objectives")
    parser.add_argument("--seconds", type=float, help="length of each cell, instead of the scenario's own")


async def measure(args: argparse.Namespace, flags: Sequence[str]) -> AsyncIterator[Results]:
    """Runs what the command line names, in the file's order. The page grows by each scenario."""
    try:
        file = cells.load(args.scenarios)
        aiperf.require_aiperf()
    except (cells.ScenariosError, aiperf.MissingError) as error:
        sys.exit(f"loadtests scenarios: {error}")
    known = [_ALL, *file.scenarios]
    if unknown := set(args.names).difference(known):
        sys.exit(f"loadtests scenarios: no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    runs: dict[str, tuple[Scenario, list[Measured]]] = {}
    for name, scenario in file.scenarios.items():
        if {name, _ALL} & set(args.names):
            chosen = scenario.model_copy(update={"seconds": args.seconds}) if args.seconds else scenario
            runs[name] = chosen, await _run(chosen, args.model.resolve(), flags)
            yield results(file.objectives, runs)


async def _run(scenario: Scenario, model: Path, flags: Sequence[str]) -> list[Measured]:
    """All cells of a scenario."""
    measured = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        versions = _publish(model, folder / "store") if any(cell.swap_seconds for cell in scenario.cells()) else []
        with_store = ["--adapters-dir", str(folder / "store")] if versions else []
        async with running_server([str(model), *with_store, *scenario.flags, *flags]) as connection:
            target = Target(connection.url, await _served(connection, versions), model, scenario.max_tokens)
            await _warm_up(connection, target)
            for index, cell in enumerate(bar := tqdm(scenario.cells(), unit="cell")):
                bar.set_description(cell.name)
                (folder / str(index)).mkdir()
                await connection.forget()
                async with (
                    watching(connection.process, _LOOK_SECONDS) as looks,
                    _swaps(connection, cell, versions) as swaps,
                ):
                    records = await aiperf.run(target, cell, folder / str(index), _SEED + index)
                measured.append(Measured(cell, records, looks, len(swaps)))
    return measured


def _publish(model: Path, store: Path) -> list[str]:
    # They need torch and transformers, which scenarios without swaps do not.
    from loadtests.swaps.letters import publish_versions  # noqa: PLC0415

    return [version.name for version in publish_versions(model, store, _VERSIONS)]


async def _served(connection: Connection, versions: Sequence[str]) -> str:
    """The model to ask: the policy whose versions are switched, or the base."""
    if versions:
        await connection.activate(POLICY, versions[0])
        return POLICY
    return str((await connection.get("/v1/models"))["data"][0]["id"])


@asynccontextmanager
async def _swaps(connection: Connection, cell: Cell, versions: Sequence[str]) -> AsyncIterator[list[str]]:
    """Switches versions in turn, and says which it has."""
    done: list[str] = []

    async def swap(pause: float) -> None:
        for version in cycle(versions):
            await asyncio.sleep(pause)
            await connection.activate(POLICY, version)
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
