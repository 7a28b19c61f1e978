"""vLLM's own zeroing of new blocks is what is switched on, in scheduler and workers alike."""

import pytest
from vllm.v1.kv_cache_interface import KVCacheConfig

from service.cache_fix import zero_new_blocks


def test_every_cache_is_zeroed(monkeypatch: pytest.MonkeyPatch) -> None:
    config = KVCacheConfig(num_blocks=1, kv_cache_tensors=[], kv_cache_groups=[])
    assert not config.needs_kv_cache_zeroing
    monkeypatch.setattr(KVCacheConfig, "needs_kv_cache_zeroing", KVCacheConfig.needs_kv_cache_zeroing)
    zero_new_blocks()
    assert config.needs_kv_cache_zeroing
