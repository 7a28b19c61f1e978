"""The processes that `accelerate launch` started for one run, or the only one."""

import torch
from accelerate import Accelerator, PartialState  # type: ignore[import-untyped]  # it ships no py.typed


def on_cpu() -> bool:
    """Whether this machine has nothing faster. Unless Accelerate is told, each process takes itself for alone."""
    return not torch.accelerator.is_available()


def processes() -> PartialState:
    """This process among the others: `is_main_process`, `num_processes`, `wait_for_everyone()`."""
    return PartialState(cpu=on_cpu())


def make_accelerator() -> Accelerator:
    """The same, with the device and the exchange of tensors."""
    return Accelerator(cpu=on_cpu())
