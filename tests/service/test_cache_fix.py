"""The key-value cache is cleaned of what is not finite, and of nothing else."""

from types import SimpleNamespace

import torch
from vllm.v1.worker.worker_base import WorkerBase

from service.cache_fix import METHOD, _clean, add_cleaning


def test_only_what_is_not_finite_becomes_zero() -> None:
    cache = torch.tensor([[1.5, float("nan")], [float("inf"), -float("inf")]])
    whole = torch.arange(4, dtype=torch.uint8)
    _clean(SimpleNamespace(model_runner=SimpleNamespace(kv_caches=[cache, whole])))
    assert cache.tolist() == [[1.5, 0.0], [0.0, 0.0]]
    assert whole.tolist() == [0, 1, 2, 3]


def test_every_worker_has_the_method() -> None:
    add_cleaning()
    assert getattr(WorkerBase, METHOD) is _clean
