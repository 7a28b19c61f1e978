"""LoRA in vLLM's CPU build, corrected and made fast.

vLLM 0.32's CPU path copies an adapter's matrices once for every token of a batch, and gives tokens that ask for no
adapter those of its last slot whenever a token beside them asks for one. Here rows that share an adapter are multiplied
at once, and rows without one are left alone. GPUs have kernels of their own and need none of this.
"""

from typing import Any

from torch import Tensor


def multiply_by_runs() -> None:
    """Replace the multiplications of vLLM's `PunicaWrapperCPU`."""
    from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU  # noqa: PLC0415

    PunicaWrapperCPU._shrink_prefill = _shrink  # type: ignore[method-assign]
    PunicaWrapperCPU._expand_slice_prefill = _expand_slice  # type: ignore[method-assign]


def _shrink(self: Any, y: Tensor, x: Tensor, w_t_all: Tensor, scale: float) -> None:  # noqa: ANN401
    """`y[rows] = scale * x[rows] A.T`, for each run of rows with an adapter; A is [slots, 1, rank, inputs]."""
    for rows, slot in _runs(self):
        y[rows] = (x[rows] @ w_t_all[slot, 0].T).mul_(scale)


def _expand_slice(
    self: Any,  # noqa: ANN401
    y: Tensor,
    x: Tensor,
    w_t_all: Tensor,
    y_offset: int,
    y_slice_size: int,
    add_inputs: bool,
) -> None:
    """`y[rows, columns] += x[rows] B.T`, for each run of rows with an adapter; B is [slots, 1, outputs, rank]."""
    columns = slice(y_offset, y_offset + y_slice_size)
    for rows, slot in _runs(self):
        added = x[rows].to(y.dtype) @ w_t_all[slot, 0].T
        y[rows, columns] = y[rows, columns] + added if add_inputs else added


def _runs(wrapper: Any) -> list[tuple[slice, int]]:  # noqa: ANN401
    """Runs of rows that share an adapter, and its slot; rows without adapter are in none."""
    if wrapper.no_lora:
        return []
    starts, lengths, slots = (part.tolist() for part in wrapper.prefill_metadata[:3])
    return [
        (slice(start, start + length), slot)
        for start, length, slot in zip(starts, lengths, slots, strict=True)
        if slot >= 0
    ]
