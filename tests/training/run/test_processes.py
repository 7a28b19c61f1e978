"""Processes of one run wait for each other as long as the slowest may work."""

import os
import subprocess
import sys

from selfjudge_training.run.processes import PATIENCE

# A group of one, as `accelerate launch` tells of it. A group is the whole process's, and engines of other tests have
# theirs: hence a process of its own.
_RANKS = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
_LAUNCHED = {**_RANKS, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "OMP_NUM_THREADS": "1"}
_BEGIN = """
import torch.distributed as dist
from accelerate.state import AcceleratorState
from selfjudge_training.run.processes import make_accelerator, processes
for begin in (processes, make_accelerator):
    begin()
    backend = dist.distributed_c10d._get_default_group()._get_backend(processes().device)
    print(dist.get_backend(), backend.options._timeout.total_seconds())
    dist.destroy_process_group()
    AcceleratorState._reset_state(reset_partial_state=True)
"""


def test_a_group_of_processes_is_patient_whichever_way_a_run_begins() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BEGIN], env={**os.environ, **_LAUNCHED}, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [f"gloo {PATIENCE.total_seconds()}"] * 2, done.stderr
