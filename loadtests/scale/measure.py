"""Measures cells on a real server: how fast it answers, what it computed, and how long each of its processes worked."""

import asyncio
import random
import string
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import psutil  # type: ignore[import-untyped]  # stubs are a package of their own
from prometheus_client.parser import text_string_to_metric_families

from loadtests.scale.cells import Cell
from loadtests.scale.simulate import poisson
from loadtests.server import Connection, running_server

_WARM_UP = 4

Use = Literal["calibration", "check"]


class Request(NamedTuple):
    """One request, in seconds, and its tokens."""

    seconds: float
    prompt_tokens: int
    sampled_tokens: int
    matches: int
    judge_tokens: int
    cached_tokens: int
    """Of the judge's."""


class Work(NamedTuple):
    """What the server says that it has done, and how long its processes ran on a processor."""

    front_seconds: float
    engine_seconds: float
    steps: float
    requests: float
    """To the engine."""
    prompt_tokens: float
    """Computed, not cached."""
    sampled_tokens: float
    """Judge reads count one each."""


class Measurement(NamedTuple):
    """One cell, measured once."""

    cell: Cell
    times: list[float]
    """When requests were due, in seconds since the first could be; none in closed loops."""
    seconds: float
    requests: list[Request]
    work: Work


class Measured(NamedTuple):
    """What a measurement is for."""

    use: Use
    round: int
    measurement: Measurement


@asynccontextmanager
async def server(model: Path, log: Path) -> AsyncIterator[Connection]:
    """A server with its defaults, warmed up."""
    async with running_server([str(model)], log) as connection:
        await measure(connection, Cell(8, 20, 16, clients=_WARM_UP, requests=10 * _WARM_UP), 0)
        yield connection


async def measure(connection: Connection, cell: Cell, seed: int) -> Measurement:
    """Has a cell's requests answered, the prefix cache empty at the start."""
    draws = random.Random(seed)
    bodies = [_body(cell, draws) for _ in range(cell.requests)]
    times = poisson(cell.rate, cell.requests, draws) if cell.rate else []
    await connection.forget()
    before = await _work(connection)
    started = time.perf_counter()
    requests = await (_arrivals(connection, bodies, times) if cell.rate else _loops(connection, cell, bodies))
    seconds = time.perf_counter() - started
    after = await _work(connection)
    work = Work(*(now - then for now, then in zip(after, before, strict=True)))
    return Measurement(cell, times, seconds, requests, work)


async def _loops(connection: Connection, cell: Cell, bodies: Sequence[dict[str, Any]]) -> list[Request]:
    requests: list[Request] = []
    todo = iter(bodies)

    async def client() -> None:
        for body in todo:
            answered = await _ask(connection, body)
            requests.append(answered)

    async with asyncio.TaskGroup() as group:
        for _ in range(cell.clients):
            group.create_task(client())
    return requests


async def _arrivals(connection: Connection, bodies: Sequence[dict[str, Any]], times: Sequence[float]) -> list[Request]:
    started = time.perf_counter()
    tasks = []
    async with asyncio.TaskGroup() as group:
        for body, due in zip(bodies, times, strict=True):
            await asyncio.sleep(max(0.0, due - (time.perf_counter() - started)))
            tasks.append(group.create_task(_ask(connection, body)))
    return [task.result() for task in tasks]


async def _ask(connection: Connection, body: dict[str, Any]) -> Request:
    started = time.perf_counter()
    answer = await connection.post("/v1/chat/completions", body)
    usage = answer["usage"]
    judging = answer.get("self_rejection", {}).get("usage", {})
    return Request(
        time.perf_counter() - started,
        usage["prompt_tokens"],
        usage["completion_tokens"],
        judging.get("matches", 0),
        judging.get("judge_prompt_tokens", 0),
        judging.get("judge_cached_tokens", 0),
    )


def _body(cell: Cell, draws: random.Random) -> dict[str, Any]:
    letters = " ".join(draws.choices(string.ascii_uppercase, k=cell.prompt))
    return {
        "messages": [{"role": "user", "content": letters}],
        "best_of_n": cell.best_of_n,
        "max_tokens": cell.response,
        "ignore_eos": True,
        "temperature": 1.0,
    }


async def _work(connection: Connection) -> Work:
    # The engine's process tells its last step a moment after the answer.
    await asyncio.sleep(0.3)
    async with connection.session.get("/metrics") as response:
        text = await response.text()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    front = psutil.Process(connection.process)
    return Work(
        front_seconds=_cpu_seconds(front),
        engine_seconds=sum(_cpu_seconds(process) for process in front.children(recursive=True)),
        steps=found["vllm:iteration_tokens_total_count"],
        requests=found["vllm:request_success_total"],
        prompt_tokens=found["vllm:prompt_tokens_total"] - found["vllm:prompt_tokens_cached_total"],
        sampled_tokens=found["vllm:generation_tokens_total"],
    )


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
