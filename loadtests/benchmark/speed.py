"""Tournaments a second: the bare engine, this server, a client that holds the tournament itself, and a thrifty one.

All cells are run round by round, and within a cell the contenders one after another, so that other load on the machine
hits all of them alike. About 15 minutes on two idle cores. Prompts and defaults follow the model: letters for the tiny
one, English for others.
"""

import argparse
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

from selfjudge_service.server.options import read_options
from selfjudge_service.server.served_model import prepare_model
from tqdm import tqdm

from loadtests.benchmark.contenders import ClientTournament, Contender, ServerTournament
from loadtests.benchmark.figures import Cell, Measured, Run
from loadtests.benchmark.prompts import Prompts, prompts_for
from loadtests.benchmark.speed_page import results
from loadtests.report import Results
from loadtests.server import running_server
from loadtests.workload import Job, Sampling, closed_loops

# Room for all prompts of a cell; without it vLLM claims nearly all memory, twice.
_CACHE_BYTES: Final = 2**31


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of the benchmark; what is left out follows the model."""
    parser.add_argument("--best-of-n", type=int, nargs="+", help="candidates", metavar="N")
    parser.add_argument("--clients", type=int, nargs="+", help="clients at once", metavar="K")
    parser.add_argument("--rounds", type=int, help="how often everything is measured, for the spread")
    parser.add_argument("--max-tokens", type=int, help="longest candidate, in tokens")
    parser.add_argument("--temperature", type=float, help="of sampling")
    parser.add_argument(
        "--quick", action="store_true", help="one tournament for each client: tries it out, tells nothing"
    )


async def measure(args: argparse.Namespace, flags: Sequence[str]) -> AsyncIterator[Results]:
    """All rounds of all cells."""
    options = [str(args.model.resolve()), "--kv-cache-memory-bytes", str(_CACHE_BYTES), *flags]
    # vLLM reads its environment while it is imported; reading the launcher's options sets it.
    parsed = read_options(options)
    prepare_model(parsed, print)

    from loadtests.benchmark.engine import Bound, Recorder, judgment_encoder, running_engine  # noqa: PLC0415

    prompts = _chosen(args)
    cells, sampling = _cells(prompts, quick=args.quick), Sampling(prompts.temperature, prompts.max_tokens)
    async with running_server(options) as server, running_engine(parsed) as engine:
        encoder = judgment_encoder(engine)
        recorder = Recorder(engine, sampling, encoder)
        contenders: list[Contender] = [
            Bound(recorder),
            ServerTournament(server, sampling),
            ClientTournament(server, sampling, encoder),
            ClientTournament(server, sampling, encoder, thrifty=True),
            Bound(recorder, judging=False),
        ]
        if prompts.by_score:
            contenders.append(ServerTournament(server, sampling, by_score=True))
        measured = await _rounds(prompts, cells, recorder, contenders)
    yield results(prompts, sampling, measured)


def _chosen(args: argparse.Namespace) -> Prompts:
    """The model's prompts, with what the command line says instead of their defaults."""
    prompts = prompts_for(args.model)
    given = {name: value for name in prompts._fields if (value := getattr(args, name, None)) is not None}
    return prompts._replace(**given)


def _cells(prompts: Prompts, *, quick: bool) -> list[Cell]:
    """All combinations, each of some seconds' work for every contender on two cores; --quick makes it a moment's."""
    return [
        Cell(n, clients, clients if quick else prompts.tournaments(n, clients), kind)
        for kind in prompts.draw
        for n in prompts.best_of_n
        for clients in prompts.clients
    ]


async def _rounds(
    prompts: Prompts, cells: Sequence[Cell], recorder: Contender, contenders: Sequence[Contender]
) -> list[Measured]:
    most, rounds = max(cell.tournaments for cell in cells), prompts.rounds
    jobs = {kind: draw(most) for kind, draw in prompts.draw.items()}
    measured = []
    with tqdm(total=sum(cell.tournaments for cell in cells) * len(contenders) * rounds) as bar:
        bar.set_description("recording and warming up")
        for cell in _largest(cells):
            await _run(recorder, cell, jobs[cell.prompts])
            for contender in contenders:
                await _run(contender, cell._replace(tournaments=1), jobs[cell.prompts])
        for round_ in range(rounds):
            for cell in cells:
                runs = {}
                for contender in contenders:
                    bar.set_description(f"{cell.prompts}, N={cell.best_of_n}, {cell.clients} clients, {contender.name}")
                    runs[contender.name] = await _run(contender, cell, jobs[cell.prompts])
                    bar.update(cell.tournaments)
                measured.append(Measured(cell, round_, runs))
    return measured


def _largest(cells: Sequence[Cell]) -> list[Cell]:
    """Of each kind of prompts and number of candidates the cell with the most tournaments: it has the others' jobs."""
    largest: dict[tuple[str, int], Cell] = {}
    for cell in sorted(cells, key=lambda cell: cell.tournaments):
        largest[cell.prompts, cell.best_of_n] = cell
    return list(largest.values())


async def _run(contender: Contender, cell: Cell, jobs: Sequence[Job]) -> Run:
    """A cell's first jobs, done by one contender whose prefix cache is empty at the start."""
    await contender.forget()
    started = time.perf_counter()
    outcomes = await closed_loops(
        cell.clients, jobs[: cell.tournaments], lambda job: contender.hold(job, cell.best_of_n)
    )
    return Run(time.perf_counter() - started, outcomes)
