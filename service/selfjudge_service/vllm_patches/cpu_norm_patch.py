"""RMS norms on a CPU by vLLM's own kernels.

vLLM 0.32 has them for CPUs, and takes five operations of PyTorch instead wherever nothing is compiled. Threads meet
after each operation. On two cores that others use too, these meetings took longer than the layer's multiplications.
"""

from typing import Final

import torch
from torch import Tensor
from vllm.model_executor.layers.layernorm import RMSNorm

_WIDTH: Final = 16
"""The kernels go through a row by as many numbers at once, and refuse a row that leaves some over."""


def normalise_by_kernels() -> None:
    """Replaces `RMSNorm.forward_cpu`, which vLLM calls where it does not compile."""
    RMSNorm.forward_cpu = _forward  # type: ignore[method-assign, assignment]


def _forward(self: RMSNorm, x: Tensor, residual: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
    """As vLLM's kernels of a GPU, it may write to `x` and `residual`."""
    if not _kernel_takes(self, x):
        return self.forward_native(x, residual)
    weight, epsilon = self.weight.data, self.variance_epsilon
    if residual is None:
        output = torch.empty_like(x)
        torch.ops._C.rms_norm(output, x, weight, epsilon)
        return output
    torch.ops._C.fused_add_rms_norm(x, residual, weight, epsilon)
    return x, residual


def _kernel_takes(norm: RMSNorm, x: Tensor) -> bool:
    plain = norm.has_weight and norm.variance_size_override is None and norm.weight.dtype == x.dtype
    return plain and x.is_contiguous() and x.shape[-1] % _WIDTH == 0
