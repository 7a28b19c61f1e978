"""Stages that depend on each other, several at a time, each in a fresh process and a folder of its own.

A stage's folder appears by one rename when it is done; what a killed run was at lies in a folder of another name, where
a stage that keeps checkpoints goes on. Knows nothing of what stages do.
"""

import fcntl
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch
from selfjudge_training.run.files import put_in_place

TIMES = "times.json"
"""What every stage leaves in its folder beside its own: its seconds by the clock and of the processor, killed attempts
left out."""


class Stage(NamedTuple):
    """One unit of work."""

    name: str
    needs: tuple[str, ...]
    """Stages that must be done before."""
    work: partial[None] | partial[Path]
    """Fills a folder."""


def run_stages(stages: Sequence[Stage], root: Path, workers: int) -> None:
    """Run those that are not done, ``workers`` at a time, in this order as far as their needs allow.

    Raises what a stage raises, when those beside it are done.
    """
    done = {stage.name for stage in stages if (root / stage.name).is_dir()}
    waiting, running = [stage for stage in stages if stage.name not in done], dict[Future[None], str]()
    os.environ["OMP_NUM_THREADS"] = "1"  # vLLM goes by it in place of what PyTorch was told
    context = get_context("forkserver")
    context.set_forkserver_preload([stage.work.func.__module__ for stage in stages])
    with ProcessPoolExecutor(workers, context, max_tasks_per_child=1) as pool:
        while waiting or running:
            ready = [stage for stage in waiting if done.issuperset(stage.needs)]
            for stage in ready[: workers - len(running)]:
                waiting.remove(stage)
                running[pool.submit(_run, stage, root)] = stage.name
                print(f"{time.strftime('%H:%M:%S')} {stage.name}, {len(waiting)} to go", file=sys.stderr)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                done.add(running.pop(future))
                future.result()


def _run(stage: Stage, root: Path) -> None:
    torch.set_num_threads(1)
    whole, unfinished = root / stage.name, root / f"{stage.name}.partial"
    with (root / f"{stage.name}.log").open("a") as log, redirect_stdout(log), redirect_stderr(log):
        fcntl.flock(log, fcntl.LOCK_EX)  # a killed run's process may still be at it
        if whole.is_dir():
            return
        unfinished.mkdir(exist_ok=True)
        began = time.monotonic()
        stage.work(unfinished)
        times = {"seconds": time.monotonic() - began, "processor": time.process_time()}
        (unfinished / TIMES).write_text(json.dumps(times) + "\n", encoding="utf-8")
        put_in_place(unfinished, whole)
