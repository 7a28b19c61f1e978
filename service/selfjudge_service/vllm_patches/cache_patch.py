"""Blocks of the key-value cache are zeroed before a request gets them, so that none can spoil what others read.

Weights, an adapter or an overflow may give values that are not finite. vLLM hands blocks on as they are, and attention
weighs the places behind a request's last token with 0: but 0 times NaN is NaN. vLLM zeroes new blocks itself where a
model has several kinds of caches; here it does so for all. On a CPU that takes less than 1% of the engine's time; there
vLLM leaves out the blocks of layers that attend to a sliding window.
"""

from vllm.v1.kv_cache_interface import KVCacheConfig


def zero_new_blocks() -> None:
    """Has vLLM's scheduler and workers zero all new blocks; vLLM calls this once in each of its processes."""
    KVCacheConfig.needs_kv_cache_zeroing = property(lambda _: True)  # type: ignore[assignment,method-assign]
