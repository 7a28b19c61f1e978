"""A self-trained adapter published into the running server: the same requests before and after, one process."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from selfjudge_training.rollouts.engine import served_rank
from selfjudge_training.seeds import derived_seed
from selfjudge_training.self_training.self_training_stage import ADAPTER

from experiments.smollm2.evidence.cells.answering import held_out
from experiments.smollm2.evidence.cells.bench import Bench
from experiments.smollm2.evidence.kept import KeptRow, keep
from loadtests.server import Connection, running_server
from selfjudge.adapters.config import CONFIG

POLICY, SERVED = "self-trained", "judge-model"
AT_ONCE = 4
"""Requests in flight."""


class Swapped(KeptRow):
    """The answers to one task before and after."""

    before: list[str]
    after: list[str]
    processes: tuple[int, int]
    """The server's before and after."""
    seconds: float
    """That the switch took."""


def swap(bench: Bench) -> None:
    """Serve JM, ask, publish, activate, ask again."""
    plan = bench.plan.hot_swap
    if not (plan.adapter / ADAPTER).is_dir():
        print(f"{plan.adapter} has no adapter: the hot swap is not measured", file=sys.stderr)
        return
    keys = list(held_out(bench.plan))[: plan.prompts]
    how = {"model": bench.identity, "adapter": str(plan.adapter), "samples": plan.samples, "seed": bench.plan.seed}
    keep(bench.file("hot-swap"), Swapped, how, keys, len(keys), lambda keys: asyncio.run(_swap(bench, keys)))


async def _swap(bench: Bench, keys: Sequence[str]) -> list[Swapped]:
    with TemporaryDirectory() as store:
        rank = json.loads((bench.plan.hot_swap.adapter / ADAPTER / CONFIG).read_text("utf-8"))["r"]
        flags = [str(bench.model.path), "--adapters-dir", store, "--served-model-name", SERVED]
        flags += ["--max-lora-rank", str(served_rank(rank))]
        async with running_server(flags) as server:
            first, before = server.process, await _ask(bench, server, SERVED, keys)
            version = await asyncio.to_thread(_publish, bench, Path(store))
            seconds = await server.activate(POLICY, version)
            after = await _ask(bench, server, POLICY, keys)
            processes = (first, server.process)
    return [
        Swapped(key=key, before=one, after=other, processes=processes, seconds=seconds)
        for key, one, other in zip(keys, before, after, strict=True)
    ]


def _publish(bench: Bench, store: Path) -> str:
    """By the command that users have; the version."""
    program = Path(sys.executable).with_name("selfjudge-train")
    command: list[str | Path] = [program, "publish", bench.plan.hot_swap.adapter, "--store", store, "--policy", POLICY]
    subprocess.run(command, check=True)  # noqa: S603  # our own program and paths
    [version] = (path.name for path in (store / POLICY).iterdir() if path.is_dir())
    return version


async def _ask(bench: Bench, server: Connection, model: str, keys: Sequence[str]) -> list[list[str]]:
    decoding, samples = bench.plan.tasks.decoding, bench.plan.hot_swap.samples
    limit = asyncio.Semaphore(AT_ONCE)

    async def ask(key: str) -> list[str]:
        body = {
            "model": model,
            "messages": [{"role": "user", "content": key}],
            "n": samples,
            "seed": derived_seed(bench.plan.seed, "hot-swap", key) % 2**32,
            "temperature": decoding.temperature,
            "top_p": 1.0,
            "max_tokens": decoding.max_new_tokens,
        }
        async with limit:
            answer = await server.post("/v1/chat/completions", body)
        return [choice["message"]["content"] for choice in answer["choices"]]

    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(ask(key)) for key in keys]
    return [task.result() for task in asking]
