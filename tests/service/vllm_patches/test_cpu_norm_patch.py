"""Norms by the kernels are vLLM's own norms; what the kernels can't take goes vLLM's way."""

from collections.abc import Iterator

import pytest
import torch
from selfjudge_service.vllm_patches.cpu_norm_patch import _forward, normalise_by_kernels
from vllm.config import CompilationConfig, VllmConfig, set_current_vllm_config
from vllm.model_executor.layers.layernorm import RMSNorm
from vllm.platforms import current_platform


@pytest.fixture(autouse=True)
def world() -> Iterator[None]:
    current_platform.import_kernels()
    with set_current_vllm_config(VllmConfig(compilation_config=CompilationConfig(custom_ops=["all"]))):
        yield


def norm(width: int) -> RMSNorm:
    made = RMSNorm(width)
    made.weight.data = torch.randn(width)
    return made


@pytest.mark.parametrize("width", [64, 576, 20])
def test_norms_are_the_same(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    torch.manual_seed(0)
    ours, x, residual = norm(width), torch.randn(3, width), torch.randn(3, width)
    alone, added = ours.forward_native(x.clone()), ours.forward_native(x.clone(), residual.clone())
    if width % 16 == 0:
        monkeypatch.setattr(RMSNorm, "forward_native", lambda *_: pytest.fail("the kernel is not taken"))
    torch.testing.assert_close(_forward(ours, x.clone()), alone)
    torch.testing.assert_close(_forward(ours, x.clone(), residual.clone()), added)


def test_a_part_of_a_wider_row_goes_vllms_way() -> None:
    """Norms of queries and keys are given parts of one matrix."""
    torch.manual_seed(0)
    ours, whole = norm(32), torch.randn(3, 64)
    part = whole[:, :32]
    torch.testing.assert_close(_forward(ours, part), ours.forward_native(part.clone()))


def test_vllm_calls_it_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RMSNorm, "forward_cpu", RMSNorm.forward_cpu)  # to be put back
    normalise_by_kernels()
    assert getattr(norm(64)._forward_method, "__func__", None) is _forward
