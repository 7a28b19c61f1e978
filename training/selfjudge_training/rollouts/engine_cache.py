"""How large the cache of keys and values of the roll-outs' engine is, where nobody says: by what is needed and free.

Training shares the machine: it holds the weights once more, and its activations come and go. Counts attention of every
layer over the whole sequence; models that compress keys and values, or look back less far, need less.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from transformers import PreTrainedConfig

from selfjudge_training.run.config import ConfigError

SEQUENCES = 64
"""Of the longest length, that the cache has room for where memory allows: 128 samples, in the mean half as long."""

SHARE = 0.25
"""Of the memory that engine and policy leave free, which the cache takes, or one sequence, if that is more."""

_SPARE_TOKENS = 64
"""Of a sequence: caches come in blocks, and vLLM keeps one for itself."""


class Memory(NamedTuple):
    """What the cache is sized by, in bytes."""

    token: int
    """Keys and values of one token."""
    weights: int
    """Of one copy of the model."""
    free: int
    """Before either copy is loaded."""


def memory_for(model: Path, config: PreTrainedConfig, dtype: torch.dtype, *, on_cpu: bool) -> Memory:
    """Of a model folder, run in a type of numbers, on the CPU or on the current GPU."""
    import psutil  # type: ignore[import-untyped]  # noqa: PLC0415  # with vLLM it is there; it has no stubs

    text = config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    token = 2 * text.num_hidden_layers * heads * width * dtype.itemsize
    stored = config.dtype.itemsize if isinstance(config.dtype, torch.dtype) else dtype.itemsize
    weights = sum(file.stat().st_size for file in model.glob("*.safetensors")) * dtype.itemsize // stored
    free = psutil.virtual_memory().available if on_cpu else torch.cuda.mem_get_info()[0]
    return Memory(token, weights, free)


def cache_bytes(memory: Memory, longest: int) -> int:
    """The size for sequences of up to ``longest`` tokens. Raises ConfigError where not even one has room."""
    one = memory.token * (longest + _SPARE_TOKENS)
    left = memory.free - 2 * memory.weights
    if one > left:
        raise ConfigError(
            f"rollouts.backend: vllm needs {_gib(one)} for keys and values of one sequence of {longest} tokens, but "
            f"{_gib(max(0, left))} of {_gib(memory.free)} are left beside the weights of engine and policy; lower "
            "max_tokens, take machine.precision=bfloat16, or take rollouts.backend=huggingface"
        )
    return max(one, min(SEQUENCES * one, int(SHARE * left)))


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
