"""`python -m selfjudge_service.server.bfloat16_probe`: exits 0 where bfloat16 runs and is not slower than float32.

It runs what a model's step consists of, linear layers and vLLM's attention. A processor may announce instructions that
its virtual machine does not let through: then this process dies.
"""

import os
import time
from typing import Final

import torch
from vllm import _custom_ops as ops
from vllm.platforms import current_platform
from vllm.v1.attention.backends.cpu_attn import _get_attn_isa

_TOKENS, _WIDTH, _HEAD, _BLOCK = 64, 1536, 64, 32
_REPEATS: Final = 8


def main() -> None:
    """Tries attention first, which is the likelier to die."""
    current_platform.import_kernels()
    _attend(torch.bfloat16)
    # Without the interpreter's way of ending, which takes long with all that vLLM imports.
    os._exit(_seconds(torch.bfloat16) > _seconds(torch.float32))


def _attend(dtype: torch.dtype) -> None:
    """One request of a block, one head."""
    isa = _get_attn_isa(dtype, _BLOCK, _HEAD)
    tokens = torch.randn(_BLOCK, 1, _HEAD, dtype=dtype)
    keys, values = (torch.zeros(1, 1, _BLOCK, _HEAD, dtype=dtype) for _ in range(2))
    ops.cpu_attn_reshape_and_cache(tokens, tokens, keys, values, torch.arange(_BLOCK), isa)
    lengths = torch.tensor([_BLOCK], dtype=torch.int32)
    starts = torch.tensor([0, _BLOCK], dtype=torch.int32)
    plan = ops.cpu_attn_get_scheduler_metadata(1, 1, 1, _HEAD, lengths, dtype, starts, True, -1, isa, False)
    table, answer = torch.zeros(1, 1, dtype=torch.int32), torch.empty_like(tokens)
    ops.cpu_attention_with_kv_cache(
        tokens, keys, values, answer, starts, lengths, _HEAD**-0.5, True, None, -1, table, 0.0, plan, None
    )


def _seconds(dtype: torch.dtype) -> float:
    """The best of some linear layers."""
    batch, weight = torch.randn(_TOKENS, _WIDTH, dtype=dtype), torch.randn(_WIDTH, _WIDTH, dtype=dtype)
    best = float("inf")
    for _ in range(_REPEATS):
        started = time.perf_counter()
        torch.nn.functional.linear(batch, weight)
        best = min(best, time.perf_counter() - started)
    return best


if __name__ == "__main__":
    main()
