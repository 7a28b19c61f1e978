"""How large the engine's cache is, and what is said where it won't do."""

from pathlib import Path
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]  # it has no stubs
import pytest
import torch
from selfjudge_training.rollouts.engine_start import _cache_bytes, _cache_errors
from selfjudge_training.run.config import ConfigError

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
def test_an_error_of_vllm_about_its_cache_names_our_key() -> None:
    from vllm.v1.core.kv_cache_utils import _check_enough_kv_cache_memory

    said = r"rollouts\.engine\.cache_gib: a cache of 1 GiB won't do; set another, or lower max_tokens\. vLLM says: "
    with pytest.raises(ConfigError, match=said), _cache_errors(1):
        _check_enough_kv_cache_memory(GIB, lambda: 2 * GIB, 4096, lambda _: 2048)
    with pytest.raises(ValueError, match="another matter") as other, _cache_errors(None):
        raise ValueError("another matter")
    assert not isinstance(other.value, ConfigError)
