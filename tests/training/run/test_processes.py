"""Processes of one run wait for each other as long as the slowest may work."""

from collections.abc import Callable

import pytest
import torch.distributed as dist
from accelerate import PartialState  # type: ignore[import-untyped]  # it ships no py.typed
from accelerate.state import AcceleratorState  # type: ignore[import-untyped]  # likewise

from training.run.processes import PATIENCE, make_accelerator, processes


@pytest.mark.parametrize("begin", [processes, make_accelerator])
def test_a_group_of_processes_is_patient(begin: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of one, as `accelerate launch` tells of it, for either way in which a run begins."""
    AcceleratorState._reset_state(reset_partial_state=True)
    told = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    for name, value in {**told, "LOCAL_WORLD_SIZE": "1", "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    try:
        begin()
        assert PartialState().backend == "gloo"
        options = dist.distributed_c10d._get_default_group()._get_backend(processes().device).options
        assert options._timeout == PATIENCE
    finally:
        dist.destroy_process_group()
        AcceleratorState._reset_state(reset_partial_state=True)
