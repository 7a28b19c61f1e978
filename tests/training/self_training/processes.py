"""The command line in processes of its own, one or two."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": ""}


def program(*arguments: str) -> list[str]:
    """The command `selfjudge-train` with these arguments."""
    return [str(SCRIPTS / "selfjudge-train"), *arguments]


def run_alone(*arguments: str) -> None:
    """Run it to its end, which has to be a good one."""
    _run(program(*arguments), {**ENVIRONMENT, "TORCH_COMPILE_DISABLE": "1"})


def run_in_two(*arguments: str) -> str:
    """Likewise, as two processes on the CPU that `accelerate launch` starts; returns what both wrote to stdout."""
    launch = [str(SCRIPTS / "accelerate"), "launch", "--multi_gpu", "--num_processes=2", "--num_machines=1"]
    launch += ["--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0", "--no_python"]
    # Nothing says that this is a CPU, where accelerate's option --cpu would want an MPI.
    return _run([*launch, *program(*arguments)], ENVIRONMENT)


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
