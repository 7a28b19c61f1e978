"""The type of numbers that a CPU computes a model in, where the user names none.

bfloat16 is twice as fast where the processor has instructions for it, slow where it has not, and the end of the process
on virtual machines that announce them and don't let them through. So a child process tries.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

from transformers import PreTrainedConfig

CPUINFO: Final = Path("/proc/cpuinfo")
PROBE: Final = (sys.executable, "-m", "selfjudge_service.server.bfloat16_probe")
_INSTRUCTIONS: Final = {"avx512_bf16", "amx_bf16"}
_SECONDS: Final = 60


def cpu_dtype(model: str, revision: str | None = None) -> str:
    """`bfloat16` for a model of such weights where that works and is not slower; else `float32`."""
    return "bfloat16" if _is_announced() and _is_bfloat16(model, revision) and _works() else "float32"


def _is_announced() -> bool:
    flags = next((line for line in CPUINFO.read_text().splitlines() if line.startswith("flags")), "")
    return not _INSTRUCTIONS.isdisjoint(flags.split())


def _is_bfloat16(model: str, revision: str | None) -> bool:
    try:
        config, _ = PreTrainedConfig.get_config_dict(model, revision=revision)
    except OSError:
        return False  # vLLM says next what is wrong with it
    for part in (config, config.get("text_config", {})):
        if named := part.get("dtype") or part.get("torch_dtype"):
            return bool(named == "bfloat16")
    return False


def _works() -> bool:
    try:
        return subprocess.run(PROBE, check=False, capture_output=True, timeout=_SECONDS).returncode == 0  # noqa: S603
    except subprocess.TimeoutExpired:
        return False
