"""Tournaments a second: the bare engine, this server, a client that holds the tournament itself, and a thrifty one.

All cells are run round by round, and within a cell the contenders one after another, so that other load on the machine
hits all of them alike. About 15 minutes on two idle cores.
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
from loadtests.benchmark.speed_page import results
from loadtests.report import Results
from loadtests.server import running_server
from loadtests.workload import Job, Sampling, closed_loops, draw_jobs

# Room for all prompts of a cell; without it vLLM claims nearly all memory, twice.
_CACHE_BYTES: Final = 2**30


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of the benchmark."""
    parser.add_argument("--best-of-n", type=int, nargs="+", default=[1, 4, 8, 16], help="candidates", metavar="N")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32], help="clients at once", metavar="K")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured, for the spread")
    parser.add_argument("--max-tokens", type=int, default=32, help="longest candidate, in tokens")
    parser.add_argument("--temperature", type=float, default=1.0, help="of sampling")
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

    cells, sampling = _cells(args), Sampling(args.temperature, args.max_tokens)
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
        measured = await _rounds(args.rounds, cells, recorder, contenders)
    yield results(sampling, args.rounds, measured)


def _cells(args: argparse.Namespace) -> list[Cell]:
    """All combinations, each of some seconds' work for every contender on two cores; --quick makes it a moment's."""
    combinations = [(n, clients) for n in args.best_of_n for clients in args.clients]
    return [Cell(n, clients, clients if args.quick else _tournaments(n, clients)) for n, clients in combinations]


def _tournaments(best_of_n: int, clients: int) -> int:
    # Three for each of 32 clients, so that the last to finish don't count for much; plain answers are cheap.
    return 32 * min(clients, 3) * (3 if best_of_n == 1 else 1)


async def _rounds(
    rounds: int, cells: Sequence[Cell], recorder: Contender, contenders: Sequence[Contender]
) -> list[Measured]:
    jobs = draw_jobs(max(cell.tournaments for cell in cells))
    measured = []
    with tqdm(total=sum(cell.tournaments for cell in cells) * len(contenders) * rounds) as bar:
        bar.set_description("recording and warming up")
        for cell in _largest(cells):
            await _run(recorder, cell, jobs)
            for contender in contenders:
                await _run(contender, cell._replace(tournaments=cell.clients), jobs)
        for round_ in range(rounds):
            for cell in cells:
                runs = {}
                for contender in contenders:
                    bar.set_description(f"N={cell.best_of_n}, {cell.clients} clients, {contender.name}")
                    runs[contender.name] = await _run(contender, cell, jobs)
                    bar.update(cell.tournaments)
                measured.append(Measured(cell, round_, runs))
    return measured


def _largest(cells: Sequence[Cell]) -> list[Cell]:
    """For each number of candidates the cell with the most tournaments: its jobs are a superset of the others'."""
    return [
        max((cell for cell in cells if cell.best_of_n == n), key=lambda cell: cell.tournaments)
        for n in dict.fromkeys(cell.best_of_n for cell in cells)
    ]


async def _run(contender: Contender, cell: Cell, jobs: Sequence[Job]) -> Run:
    """A cell's first jobs, done by one contender whose prefix cache is empty at the start."""
    await contender.forget()
    started = time.perf_counter()
    outcomes = await closed_loops(
        cell.clients, jobs[: cell.tournaments], lambda job: contender.hold(job, cell.best_of_n)
    )
    return Run(time.perf_counter() - started, outcomes)
