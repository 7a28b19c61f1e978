"""Whether an adapter's numbers can be computed with, module by module.

How modules add up over layers is not checked: an adapter that passes can still, if rarely, give a model values that are
not finite.
"""

from pathlib import Path
from typing import Final

import numpy as np

from selfjudge.adapters.config import AdapterConfig
from selfjudge.adapters.modules import LoraModule
from selfjudge.adapters.tensors import DTYPES, Tensor, as_float32
from selfjudge.errors import AdapterError

LARGEST: Final = 65504.0
"""Largest magnitude of a weight, and of what a module may add to an output: beyond it, float16 has only infinity."""

Matrix = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def require_values(path: Path, module: LoraModule, config: AdapterConfig) -> None:
    """Raises AdapterError: `dtype`; `values` where one is not finite, or a module can add more than float16 holds.

    What a module can add is bounded for inputs that are as large as norms make them, of a root mean square of 1: its
    largest output is at most `alpha / r * sum_j |B_ij| * |A_j| * sqrt(inputs)`, |A_j| being the length of a row.
    """
    a, b = (_read(path, module, tensor) for tensor in (module.a, module.b))
    # An embedding's input is a single one among zeros.
    rows = np.abs(a).max(axis=1) if module.embedding else np.linalg.norm(a, axis=1) * a.shape[1] ** 0.5
    added = config.scaling_of(module.name) * float((np.abs(b) @ rows).max())
    if not added <= LARGEST:
        raise AdapterError(
            "values",
            f"{path}: {module.name} can add up to {added:.2g} to an output, and {LARGEST:,.0f} is the most that "
            "float16 holds; has the training diverged, or is lora_alpha too large?",
        )


def _read(path: Path, module: LoraModule, tensor: Tensor) -> Matrix:
    if tensor.dtype not in DTYPES:
        accepted = ", ".join(sorted(DTYPES))
        raise AdapterError(
            "dtype", f"{path}: a tensor of {module.name} is of type {tensor.dtype}; accepted are {accepted}"
        )
    kind = np.dtype(DTYPES[tensor.dtype])
    stored = np.fromfile(path, kind, (tensor.end - tensor.start) // kind.itemsize, offset=tensor.start)
    values = as_float32(stored, tensor.dtype)
    if not bool((np.abs(values) <= LARGEST).all()):  # false for NaN too
        raise AdapterError(
            "values",
            f"{path}: a tensor of {module.name} has values that are not finite, or beyond {LARGEST:,.0f}; has the "
            "training diverged?",
        )
    return values.astype(np.float64).reshape(tensor.shape)
