"""How large the engine's cache is, and what is said where it won't do."""

from pathlib import Path
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]  # it has no stubs
import pytest
import torch
from selfjudge_training.rollouts.engine import EngineRollOuts, _cache_bytes
from selfjudge_training.run.config import ConfigError

from tests.training.rollouts.conftest import SHIPPED

GIB = 2**30


class _Free(NamedTuple):
    available: int


def test_the_cache_takes_a_part_of_what_is_free_unless_a_size_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(13 * GIB)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (78 * GIB, 80 * GIB))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: _Free(30 * GIB))
    assert _cache_bytes(tmp_path, None, on_cpu=False) == 13 * GIB
    assert _cache_bytes(tmp_path, None, on_cpu=True) == GIB
    assert _cache_bytes(tmp_path, 0.5, on_cpu=False) == GIB // 2
    monkeypatch.setattr(psutil, "virtual_memory", lambda: _Free(64 * GIB))
    assert _cache_bytes(tmp_path, None, on_cpu=True) == 4 * GIB


@pytest.mark.slow
def test_an_error_of_vllm_about_its_cache_names_our_key(monkeypatch: pytest.MonkeyPatch) -> None:
    from vllm.v1.core.kv_cache_utils import _check_enough_kv_cache_memory
    from vllm.v1.engine.llm_engine import LLMEngine

    def too_small(*_: object, **__: object) -> None:
        _check_enough_kv_cache_memory(GIB, lambda: 2 * GIB, 4096, lambda _: 2048)

    def another(*_: object, **__: object) -> None:
        raise ValueError("another matter")

    monkeypatch.setattr(LLMEngine, "from_engine_args", too_small)
    said = r"rollouts\.engine\.cache_gib: a cache of 1 GiB won't do; set another, or lower max_tokens\. vLLM says: "
    with pytest.raises(ConfigError, match=said):
        EngineRollOuts(SHIPPED, rank=8, max_tokens=64, cache_gib=1.0)
    monkeypatch.setattr(LLMEngine, "from_engine_args", another)
    with pytest.raises(ValueError, match="another matter") as other:
        EngineRollOuts(SHIPPED, rank=8, max_tokens=64)
    assert not isinstance(other.value, ConfigError)
