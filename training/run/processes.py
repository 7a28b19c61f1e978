"""The processes that `accelerate launch` started for one run, or the only one."""

import torch
from accelerate import Accelerator, PartialState  # type: ignore[import-untyped]  # it ships no py.typed

from training.run.config import ConfigError


def on_cpu() -> bool:
    """Whether this machine has nothing faster. Unless Accelerate is told, each process takes itself for alone."""
    return not torch.accelerator.is_available()


def processes() -> PartialState:
    """This process among the others: `is_main_process`, `num_processes`, `wait_for_everyone()`."""
    return PartialState(cpu=on_cpu())


def make_accelerator() -> Accelerator:
    """The same, with the device and the exchange of tensors."""
    return Accelerator(cpu=on_cpu())


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
