"""The processes that `accelerate launch` started for one run, or the only one."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState  # type: ignore[import-untyped]  # it ships no py.typed

from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.files import beside, new_folder

PATIENCE = timedelta(hours=12)
"""How long processes wait for each other. One may encode a data set, merge and write a model, or sample the longest
responses while the others wait; PyTorch would end them all after 10 minutes (NCCL) or 30 (gloo). A process that dies
is not waited for: `accelerate launch` ends the others."""


def on_cpu() -> bool:
    """Whether this machine has nothing faster. Unless Accelerate is told, each process takes itself for alone."""
    return not torch.accelerator.is_available()


def processes() -> PartialState:
    """This process among the others: `is_main_process`, `num_processes`, `wait_for_everyone()`."""
    return PartialState(cpu=on_cpu(), timeout=PATIENCE)


def make_accelerator() -> Accelerator:
    """The same, with the device and the exchange of tensors."""
    processes()  # which makes their group, if it is not there yet
    return Accelerator(cpu=on_cpu())


@contextmanager
def shared_folder(path: Path) -> Iterator[Path]:
    """`new_folder` for all processes to write into; it has its name when all have left."""
    state = processes()
    with new_folder(path) if state.is_main_process else nullcontext(beside(path)) as partial:
        state.wait_for_everyone()
        yield partial
        state.wait_for_everyone()
    state.wait_for_everyone()


def micro_batches(batch: int, size: int, key: str) -> int:
    """How many micro-batches each process computes for one step of ``batch``, accumulating their gradients.

    Raises ConfigError where processes and micro-batches do not divide the step; ``key`` is what the configuration calls
    ``size``.
    """
    sharers = int(processes().num_processes)
    if batch % (size * sharers):
        raise ConfigError(
            f"optimisation.batch is {batch}, which is no multiple of {key} {size} times {sharers} processes"
        )
    return batch // (size * sharers)
