"""What may run and wait at once: an operator's word, or else what the engine has room for."""

from typing import TYPE_CHECKING, NamedTuple

from selfjudge_service.settings import Settings

if TYPE_CHECKING:
    from vllm.config import VllmConfig

# Tokens that prompt and answer are taken to have together, where the context is longer than that.
_USUAL_TOKENS = 4096


class Limits(NamedTuple):
    """Limits of one server process; None is no limit."""

    candidates: int
    """Weight that runs at once. What weighs more than all of it runs alone."""
    tournaments: int | None = None
    waiting: int = 1000
    """Requests in the queue, whatever they weigh."""
    queue_seconds: float = 30.0
    """Longest wait; others may join the queue while it is expected to be shorter."""
    key_requests: int | None = None
    """Requests of one caller, running and waiting together."""
    key_candidates: int | None = None
    """Their weight."""
    queue_share: float | None = None
    """Others may join the queue while those in it weigh less than this share of `candidates`."""
    waiting_bytes: int = 2**28
    """Others may join the queue while the bodies of those in it come to less: a flood must not take all memory."""


def limits_for(settings: Settings, engine: "VllmConfig") -> Limits:
    """The limits that an operator has set, the others from the engine's size."""
    return Limits(
        candidates=settings.max_candidates or room_for_candidates(engine),
        tournaments=settings.max_tournaments,
        waiting=settings.max_waiting,
        queue_share=settings.queue_share,
        queue_seconds=settings.queue_seconds,
        key_requests=settings.key_max_requests,
        key_candidates=settings.key_max_candidates,
    )


def room_for_candidates(engine: "VllmConfig") -> int:
    """Candidates that an engine has in hand at once, none of them in a queue of its own or driven out of its KV cache.

    The cache is taken to be filled by candidates of 4,096 tokens, or of the model's context if that is shorter.
    """
    sequences = engine.scheduler_config.max_num_seqs * engine.parallel_config.data_parallel_size
    cached_tokens = (engine.cache_config.num_gpu_blocks or 0) * engine.cache_config.block_size
    if not cached_tokens:  # a model without attention has no such cache
        return sequences
    return max(1, min(sequences, cached_tokens // min(engine.model_config.max_model_len, _USUAL_TOKENS)))
