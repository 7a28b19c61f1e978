"""Takes what is not finite out of the key-value cache, after an adapter has put it there.

vLLM hands blocks on as they are. Attention weighs the places behind a request's last token with 0, and 0 times NaN is
NaN: whoever gets a block that held NaN reads nonsense. Values that are in use are finite and stay as they are. Leaves
out caches of 8-bit numbers, which vLLM keeps as plain bytes.
"""

from typing import Any, Final

import torch
from vllm.v1.worker.worker_base import WorkerBase

METHOD: Final = "selfjudge_clean_cache"
"""What to call on all workers (`collective_rpc`)."""


def add_cleaning() -> None:
    """Gives vLLM's workers the method; vLLM calls this once in each of its processes."""
    setattr(WorkerBase, METHOD, _clean)


def _clean(self: Any) -> None:  # noqa: ANN401  a worker, whose runner vLLM types as any module
    for cache in self.model_runner.kv_caches:
        if isinstance(cache, torch.Tensor) and cache.is_floating_point():
            torch.nan_to_num_(cache, nan=0.0, posinf=0.0, neginf=0.0)
