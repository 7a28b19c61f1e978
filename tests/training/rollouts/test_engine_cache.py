"""The engine's cache: of the size that its sequences need, within what is free, or an error that names our keys."""

from pathlib import Path

import pytest
import torch
from selfjudge_training.rollouts.engine_cache import SEQUENCES, Memory, cache_bytes, memory_for
from selfjudge_training.rollouts.engine_start import EngineSettings, _cache_bytes, _cache_errors
from selfjudge_training.run.config import ConfigError
from transformers import AutoConfig, LlamaConfig

from tests.training.rollouts.conftest import SHIPPED

GIB = 2**30
LLAMA_7B = Memory(token=2**19, weights=int(12.6 * GIB), free=0)


def test_what_a_token_takes_follows_from_the_architecture(tmp_path: Path) -> None:
    of_7b = memory_for(tmp_path, LlamaConfig(), torch.bfloat16, on_cpu=True)
    assert of_7b.token == 2 * 32 * 4096 * 2 == 2**19
    grouped = memory_for(tmp_path, LlamaConfig(num_key_value_heads=8), torch.float32, on_cpu=True)
    assert grouped.token == of_7b.token / 4 * 2
    shipped = memory_for(SHIPPED, AutoConfig.from_pretrained(SHIPPED), torch.float32, on_cpu=True)
    assert shipped.weights == pytest.approx(4 * 1_291_520, rel=0.02)
    assert shipped.free > GIB / 8


def test_a_model_of_7b_starts_on_a_gpu_of_80_gb() -> None:
    """Its context of 4,096 tokens needs 2 GiB; the default was 1."""
    size = cache_bytes(LLAMA_7B._replace(free=79 * GIB), 4096)
    assert 2 * GIB < size < 20 * GIB


def test_a_cache_is_no_larger_than_its_sequences_and_no_smaller_than_one() -> None:
    small = Memory(token=6144, weights=2**22, free=64 * GIB)
    assert 64 * 6144 * 256 <= cache_bytes(small, 256) <= SEQUENCES * 6144 * 400
    tight = LLAMA_7B._replace(free=int(26.5 * GIB))
    assert GIB < cache_bytes(tight, 2048) < 1.1 * GIB


def test_no_room_for_one_sequence_is_said_with_the_keys_that_help() -> None:
    with pytest.raises(
        ConfigError, match=r"rollouts.backend: vllm needs 1.03 GiB .* 0.00 GiB of 24.00 GiB.*max_tokens"
    ):
        cache_bytes(LLAMA_7B._replace(free=24 * GIB), 2048)


def test_an_engine_has_a_cache_of_that_size_unless_another_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    of_7b, dtypes = LLAMA_7B._replace(free=79 * GIB), list[torch.dtype]()

    def measured(_: Path, __: LlamaConfig, dtype: torch.dtype, *, on_cpu: bool) -> Memory:
        dtypes.append(dtype)
        return of_7b if not on_cpu else of_7b._replace(token=2 * of_7b.token)

    monkeypatch.setattr("selfjudge_training.rollouts.engine_start.memory_for", measured)
    config = LlamaConfig(dtype=torch.bfloat16)
    sizes = [_cache_bytes(SHIPPED, config, EngineSettings(), 4096, on_cpu=on_cpu) for on_cpu in (False, True)]
    assert sizes[0] == cache_bytes(of_7b, 4096)
    assert dtypes == [torch.bfloat16, torch.float32]
    assert _cache_bytes(SHIPPED, config, EngineSettings(cache_gib=0.5), 4096, on_cpu=False) == GIB // 2


@pytest.mark.slow
def test_an_error_of_vllm_about_its_cache_names_our_key() -> None:
    from vllm.v1.core.kv_cache_utils import _check_enough_kv_cache_memory

    said = r"rollouts\.engine\.cache_gib: a cache of 1 GiB won't do; set another, or lower max_tokens\. vLLM says: "
    with pytest.raises(ConfigError, match=said), _cache_errors(EngineSettings(cache_gib=1)):
        _check_enough_kv_cache_memory(GIB, lambda: 2 * GIB, 4096, lambda _: 2048)
    with pytest.raises(ValueError, match="another matter") as other, _cache_errors(EngineSettings()):
        raise ValueError("another matter")
    assert not isinstance(other.value, ConfigError)
