"""Closed-loop clients: each sends its next request as soon as it has the answer to the last."""

import asyncio
import time
from collections.abc import Sequence

from loadtests.outcome import Contender, Outcome, Run
from loadtests.workload import Cell, Job


async def run_cell(contender: Contender, cell: Cell, jobs: Sequence[Job]) -> Run:
    """Has a cell's first jobs done by one contender, its prefix cache empty at the start."""
    await contender.forget()
    jobs = jobs[: cell.tournaments]
    outcomes: dict[int, Outcome] = {}
    todo = iter(enumerate(jobs))

    async def client() -> None:
        for index, job in todo:
            outcomes[index] = await contender.hold(job, cell.best_of_n)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(cell.clients):
            group.create_task(client())
    return Run(time.perf_counter() - started, [outcomes[index] for index in range(len(jobs))])
