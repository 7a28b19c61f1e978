"""Runs aiperf and reads what it recorded of every request.

Everything is taken from its raw records, since its own metrics know no progress events: they begin with the first
token, which under best-of-N is the end.
"""

import asyncio
import json
import os
import random
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from loadtests.scenarios.cells import Cell
from loadtests.workload import draw_jobs

PROGRAM: Final = Path(__file__).resolve().parents[2] / "build" / "aiperf" / "bin" / "aiperf"
_RECORDS: Final = "profile_export_raw.jsonl"
_PROMPTS: Final = 400
_NANO: Final = 1e-9
_TOLD_OF_LOG: Final = 4000  # characters


class MissingError(Exception):
    """aiperf is not installed."""


class Target(NamedTuple):
    """The server, and what is asked of it."""

    url: str
    model: str
    tokenizer: Path
    max_tokens: int


class Record(NamedTuple):
    """One request, in seconds. `sent` counts from the first one's."""

    sent: float
    status: int
    """0 where there was no answer at all."""
    seconds: float
    """Until the whole answer."""
    progress: float | None
    """Until the first progress event, or the first token where there is none; of streams that got so far."""
    late: float
    """How much later than due it was sent: the generator's fault, not the server's."""


def require_aiperf() -> None:
    """Raises MissingError, with what to do."""
    if not PROGRAM.exists():
        raise MissingError(f"{PROGRAM} is missing; `make aiperf` puts aiperf there, in an environment of its own")


async def run(target: Target, cell: Cell, folder: Path, seed: int) -> list[Record]:
    """Sends a cell's requests; files of aiperf's go to an existing folder.

    Raises:
        RuntimeError: if aiperf fails, with the end of what it said, or records fewer requests than it was to send.
    """
    prompts = folder / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"text": text}) + "\n" for text in _prompts(cell, seed)))
    log = folder / "log"
    # A set HF_HUB_OFFLINE makes aiperf take the tokenizer's path for the name of a repository.
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *_arguments(target, cell, prompts, seed), stdout=sink, stderr=sink, env=environment
        )
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.terminate()
    records = folder / _RECORDS
    if code or not records.exists():
        raise RuntimeError(f"aiperf ended with {code}:\n{log.read_text()[-_TOLD_OF_LOG:]}")
    found = read(records)
    if len(found) != cell.requests:
        raise RuntimeError(f"aiperf was to send {cell.requests} requests and recorded {len(found)}")
    return found


def read(path: Path) -> list[Record]:
    """Requests in a file of raw records, in the order in which they were sent."""
    raw = sorted(
        (json.loads(line) for line in path.read_text().splitlines()),
        key=lambda one: one["metadata"]["request_start_ns"],
    )
    first = raw[0]["metadata"]["request_start_ns"] if raw else 0
    return [_record(one, first) for one in raw]


def _record(raw: dict[str, Any], first: int) -> Record:
    metadata = raw["metadata"]
    started = metadata["request_start_ns"]
    return Record(
        sent=(started - first) * _NANO,
        status=raw.get("status") or 0,
        seconds=(metadata["request_end_ns"] - started) * _NANO,
        progress=next((seconds for seconds in _events(raw)), None),
        late=(started - metadata["credit_issued_ns"]) * _NANO,
    )


def _events(raw: dict[str, Any]) -> Iterator[float]:
    """When progress events and tokens came, in seconds since the request."""
    for response in raw.get("responses") or ():
        for packet in response.get("packets") or ():
            if packet["name"] == "data" and packet["value"].startswith("{"):
                chunk = json.loads(packet["value"])
                tokens = any((choice.get("delta") or {}).get("content") for choice in chunk.get("choices", ()))
                if tokens or "progress" in chunk.get("self_rejection", ()):
                    yield (response["perf_ns"] - raw["start_perf_ns"]) * _NANO


def _arguments(target: Target, cell: Cell, prompts: Path, seed: int) -> list[str]:
    # Without best_of_n, vLLM's own handler answers; it knows no progress.
    extra: dict[str, Any] = {"max_tokens": target.max_tokens, "temperature": 1.0}
    if cell.best_of_n > 1:
        extra["best_of_n"] = cell.best_of_n
        if cell.streaming:
            extra["self_rejection"] = {"include": ["progress"]}
    options = {
        "model": target.model,
        "url": target.url,
        "tokenizer": str(target.tokenizer),
        "endpoint-type": "chat",
        "input-file": str(prompts),
        "custom-dataset-type": "single_turn",
        "extra-inputs": json.dumps(extra),
        "request-rate": f"{cell.rate:g}",
        "arrival-pattern": "poisson",
        "request-count": str(cell.requests),
        "random-seed": str(seed),
        "export-level": "raw",
        "artifact-dir": str(prompts.parent),
        "ui-type": "none",
        "workers-max": "1",
    }
    switches = ["use-server-token-count", "no-gpu-telemetry", "no-server-metrics"]
    return [
        "profile",
        *(word for name, value in options.items() for word in (f"--{name}", value)),
        *(f"--{name}" for name in [*switches, *(["streaming"] if cell.streaming else [])]),
    ]


def _prompts(cell: Cell, seed: int) -> list[str]:
    if cell.prompt == "tasks":
        return [job.prompt for job in draw_jobs(_PROMPTS)]
    draws = random.Random(seed)
    return [" ".join(draws.choices(string.ascii_uppercase, k=cell.prompt)) for _ in range(_PROMPTS)]
