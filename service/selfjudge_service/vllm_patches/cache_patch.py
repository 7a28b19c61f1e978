"""Blocks of the key-value cache are zeroed before a request gets them, so that none can spoil what others read.

Weights, an adapter or an overflow may give values that are not finite. vLLM 0.32 and 0.33 hand blocks on as they are,
and attention weighs the places behind a request's last token with 0: but 0 times NaN is NaN. They zero new blocks where
a model has several kinds of caches; here they do so for all. On a CPU that takes less than 1% of the engine's time;
there vLLM leaves out the blocks of layers that attend to a sliding window.
"""

from vllm.v1.kv_cache_interface import KVCacheConfig


def zero_new_blocks() -> None:
    """Has vLLM's scheduler and workers zero all new blocks."""
    KVCacheConfig.needs_kv_cache_zeroing = property(lambda _: True)  # type: ignore[assignment,method-assign]
