"""Runs all cells, round by round, and within a cell the contenders one after another, so that they share the weather.

Server and bare engine stay loaded side by side, and one of them works at a time.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from selfjudge_service.server.launcher import read_options
from tqdm import tqdm

from loadtests.bound import Bound, Recorder, judgment_encoder, running_engine
from loadtests.client_tournament import ClientTournament
from loadtests.clients import run_cell
from loadtests.outcome import Contender, Measured
from loadtests.server import ServerTournament, running_server
from loadtests.workload import Cell, Job, Sampling, draw_jobs

# Room for all prompts of a cell; without it vLLM claims nearly all memory, twice.
_CACHE_BYTES = 2**30


class Settings(NamedTuple):
    """What is to be measured."""

    model: Path
    cells: Sequence[Cell]
    rounds: int
    sampling: Sampling


async def measure(settings: Settings) -> list[Measured]:
    """All rounds of all cells."""
    flags = [str(settings.model), "--kv-cache-memory-bytes", str(_CACHE_BYTES)]
    jobs = draw_jobs(max(cell.tournaments for cell in settings.cells))
    with tempfile.TemporaryDirectory() as folder:
        async with running_server(flags, Path(folder, "log")) as server, running_engine(read_options(flags)) as engine:
            encoder = judgment_encoder(engine)
            recorder = Recorder(engine, settings.sampling, encoder)
            contenders: list[Contender] = [
                Bound(recorder),
                ServerTournament(server, settings.sampling),
                ClientTournament(server, settings.sampling, encoder),
                ClientTournament(server, settings.sampling, encoder, thrifty=True),
                Bound(recorder, judging=False),
            ]
            return await _measure(settings, jobs, recorder, contenders)


async def _measure(
    settings: Settings, jobs: Sequence[Job], recorder: Recorder, contenders: Sequence[Contender]
) -> list[Measured]:
    measured = []
    with tqdm(total=sum(cell.tournaments for cell in settings.cells) * len(contenders) * settings.rounds) as bar:
        bar.set_description("recording and warming up")
        for cell in _largest(settings.cells):
            await run_cell(recorder, cell, jobs)
            for contender in contenders:
                await run_cell(contender, cell._replace(tournaments=cell.clients), jobs)
        for round_ in range(settings.rounds):
            for cell in settings.cells:
                runs = {}
                for contender in contenders:
                    bar.set_description(f"N={cell.best_of_n}, {cell.clients} clients, {contender.name}")
                    runs[contender.name] = await run_cell(contender, cell, jobs)
                    bar.update(cell.tournaments)
                measured.append(Measured(cell, round_, runs))
    return measured


def _largest(cells: Sequence[Cell]) -> list[Cell]:
    """For each number of candidates the cell with the most tournaments: its jobs are a superset of the others'."""
    return [
        max((cell for cell in cells if cell.best_of_n == n), key=lambda cell: cell.tournaments)
        for n in dict.fromkeys(cell.best_of_n for cell in cells)
    ]
