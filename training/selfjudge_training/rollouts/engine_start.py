"""How the vLLM engine of roll-outs is started: its settings, and what keeps it from disturbing the training around it.

vLLM is imported in here only when an engine is made, so that training works without it.
"""

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from selfjudge.adapters import ENGINE_RANKS, EngineRank
from selfjudge_training.run.config import ConfigError

if TYPE_CHECKING:
    from vllm.v1.engine.llm_engine import LLMEngine

_QUIET: Final = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}

# bfloat16 dies with an illegal instruction on some virtual machines; small cache blocks keep more of a judge prompt.
_ON_CPU: Final = {"dtype": "float32", "block_size": 32}

# With a cache of a given size vLLM still wants this share of the GPU to be free; training has its own part of it.
_ON_GPU: Final = {"gpu_memory_utilization": 0.05}

_GIB: Final = 2**30
_CACHE_SHARE: Final = 0.25
_MOST_ON_CPU: Final = 4 * _GIB


def served_rank(rank: int) -> EngineRank:
    """The rank that vLLM is started for. Raises ConfigError where it has none that high."""
    if rank > max(ENGINE_RANKS):
        raise ConfigError(f"lora.rank: {rank} is more than the {max(ENGINE_RANKS)} that vLLM serves")
    return min(each for each in ENGINE_RANKS if each >= rank)


def start_engine(model: Path, max_rank: EngineRank, max_tokens: int, cache_gib: float | None) -> "LLMEngine":
    """An engine in this process, which seeds its random numbers; what training draws, it seeds anew each time.

    Raises ConfigError where vLLM is not installed, or its cache of keys and values can't hold one of the longest
    sequences.
    """
    # The plugin that comes with this package mends vLLM's LoRA on CPUs, where it is named.
    named = [name for name in os.environ.get("VLLM_PLUGINS", "").split(",") if name]
    os.environ["VLLM_PLUGINS"] = ",".join(dict.fromkeys([*named, "selfjudge"]))
    # The scheduler shares our process: nothing is copied between two, and on a CPU PyTorch's threads are ours.
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        from vllm.engine.arg_utils import EngineArgs  # noqa: PLC0415
        from vllm.platforms import current_platform  # noqa: PLC0415
        from vllm.v1.engine.llm_engine import LLMEngine  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "roll-outs by the engine need vLLM, which is not installed here: install selfjudge[cuda] on a GPU, or the "
            "list requirements/cpu.txt on a CPU; or choose the Hugging Face back end, which needs nothing"
        ) from error
    on_cpu = current_platform.is_cpu()
    options: dict[str, Any] = dict(_ON_CPU if on_cpu else _ON_GPU)
    arguments = EngineArgs(
        model=str(model),
        max_model_len=max_tokens,
        kv_cache_memory_bytes=_cache_bytes(model, cache_gib, on_cpu=on_cpu),
        enable_lora=True,
        max_lora_rank=max_rank,
        max_loras=1,
        max_cpu_loras=2,
        generation_config="vllm",
        disable_log_stats=True,
        **options,
    )
    set_num_threads = torch.set_num_threads
    try:
        with warnings.catch_warnings():
            # vLLM looks at every attribute of PyTorch, deprecated ones included.
            warnings.simplefilter("ignore", FutureWarning)
            return LLMEngine.from_engine_args(arguments, enable_multiprocessing=False)
    except ValueError as error:
        # Errors about the cache name keys of vLLM's own that can't be set here.
        if not re.search(r"KV\s+cache|memory for kv", str(error)):
            raise
        size = "sized by what is free" if cache_gib is None else f"of {cache_gib:g} GiB"
        raise ConfigError(
            f"rollouts.engine.cache_gib: a cache {size} won't do; set another, or lower max_tokens. vLLM says: {error}"
        ) from error
    finally:
        torch.set_num_threads = set_num_threads  # which vLLM disables on a CPU


def _cache_bytes(model: Path, cache_gib: float | None, *, on_cpu: bool) -> int:
    """Training shares the machine: it holds the weights once more, and its activations come and go."""
    if cache_gib is not None:
        return int(cache_gib * _GIB)
    import psutil  # type: ignore[import-untyped]  # noqa: PLC0415  # with vLLM it is there; it has no stubs

    weights = sum(file.stat().st_size for file in model.glob("*.safetensors"))
    free = psutil.virtual_memory().available if on_cpu else torch.cuda.mem_get_info()[0]
    size = int(_CACHE_SHARE * max(0, free - 2 * weights))
    return min(size, _MOST_ON_CPU) if on_cpu else size
