"""LoRA in vLLM's CPU build, corrected and made fast.

vLLM 0.32's CPU path copies an adapter's matrices once for every token of a batch, and gives tokens that ask for no
adapter those of its last slot whenever a token beside them asks for one: a judge that is to read without an adapter
would read with that of the samples beside it. Here rows that share an adapter are multiplied at once, and rows without
one are left alone.

Logits of a prompt (`prompt_logprobs`, or `echo` in a chat) end vLLM's engine, which takes their rows for those that
tokens are sampled from and finds another number. Here each row has the adapter of its own token.

GPUs have kernels of their own and need none of this.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

from torch import Tensor
from vllm.lora.punica_wrapper.punica_base import PunicaWrapperBase
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU
from vllm.v1.worker.gpu_model_runner import GPUModelRunner


def multiply_by_runs() -> None:
    """Replaces the multiplications of vLLM's `PunicaWrapperCPU`."""

    def find_runs(self: Any, slots: Tensor) -> None:  # noqa: ANN401
        PunicaWrapperBase._update_prefill_metadata(self, slots)
        self.runs = _runs(slots)

    PunicaWrapperCPU._update_prefill_metadata = find_runs  # type: ignore[method-assign, assignment]
    PunicaWrapperCPU._shrink_prefill = _shrink  # type: ignore[method-assign]
    PunicaWrapperCPU._expand_prefill = _expand  # type: ignore[method-assign]
    PunicaWrapperCPU._expand_slice_prefill = _expand_slice  # type: ignore[method-assign]
    PunicaWrapperCPU.add_lora_linear = _add_linear  # type: ignore[method-assign]
    PunicaWrapperCPU.add_lora_logits = _add_logits  # type: ignore[method-assign]
    read_prompts = GPUModelRunner._get_prompt_logprobs_dict

    def read_prompts_by_token(self: Any, *args: Any) -> Any:  # noqa: ANN401
        with _Reading.prompts():
            return read_prompts(self, *args)

    GPUModelRunner._get_prompt_logprobs_dict = read_prompts_by_token  # type: ignore[method-assign, assignment]


class _Reading:
    """Whether logits are being made of prompts' tokens; an engine's process has one worker, and that one thread."""

    of_prompts = False

    @classmethod
    @contextmanager
    def prompts(cls) -> Iterator[None]:
        cls.of_prompts = True
        try:
            yield
        finally:
            cls.of_prompts = False


def _runs(slots: Tensor) -> list[tuple[slice, int]]:
    """Runs of tokens that share an adapter, and the adapter's slot; tokens without one are in none."""
    found, lengths = slots.unique_consecutive(return_counts=True)  # type: ignore[no-untyped-call]  # torch's
    ends = lengths.cumsum(0)
    runs = zip((ends - lengths).tolist(), ends.tolist(), found.tolist(), strict=True)
    return [(slice(start, end), slot) for start, end, slot in runs if slot >= 0]


def _add_linear(
    self: Any,  # noqa: ANN401
    y: Tensor,
    x: Tensor,
    lora_a_stacked: tuple[Tensor, ...],
    lora_b_stacked: tuple[Tensor, ...],
    scale: float,
    output_slices: tuple[int, ...],
    **_: Any,  # noqa: ANN401
) -> None:
    """`y[rows, slice] += scale * x[rows] A.T B.T`, for each run of rows and each slice of the layer's outputs."""
    starts = accumulate(output_slices[:-1], initial=0)
    slices = list(zip(lora_a_stacked, lora_b_stacked, starts, output_slices, strict=True))
    for rows, slot in self.runs:
        for down, up, start, width in slices:
            inner = (x[rows] @ down[slot, 0].T).mul_(scale)
            y[rows, start : start + width].addmm_(inner.to(y.dtype), up[slot, 0, :width].T)


def _shrink(self: Any, y: Tensor, x: Tensor, w_t_all: Tensor, scale: float) -> None:  # noqa: ANN401
    """`y[rows] = scale * x[rows] A.T`, for each run of rows; A is [slots, 1, rank, inputs]."""
    for rows, slot in self.runs:
        y[rows] = (x[rows] @ w_t_all[slot, 0].T).mul_(scale)


def _expand(self: Any, y: Tensor, x: Tensor, w_t_all: Tensor, add_inputs: bool) -> None:  # noqa: ANN401
    """`y[rows] += x[rows] B.T`, for each run of rows; B is [slots, 1, outputs, rank], its outputs perhaps padded."""
    _expand_slice(self, y, x, w_t_all, 0, min(y.shape[1], w_t_all.shape[-2]), add_inputs)


def _expand_slice(
    self: Any,  # noqa: ANN401
    y: Tensor,
    x: Tensor,
    w_t_all: Tensor,
    y_offset: int,
    y_slice_size: int,
    add_inputs: bool,
) -> None:
    """`y[rows, columns] += x[rows] B.T`, for each run of rows."""
    for rows, slot in self.runs:
        target = y[rows, y_offset : y_offset + y_slice_size]
        added = x[rows].to(y.dtype) @ w_t_all[slot, 0, :y_slice_size].T
        if add_inputs:
            target += added
        else:
            target.copy_(added)


def _add_logits(
    self: Any,  # noqa: ANN401
    y: Tensor,
    x: Tensor,
    lora_a_stacked: Tensor,
    lora_b_stacked: Tensor,
    scale: float,
    **_: Any,  # noqa: ANN401
) -> None:
    """`y[row] += scale * x[row] A.T B.T`, for each row whose token has an adapter that adapts the head."""
    slots = self.sampler_indices
    if _Reading.of_prompts:
        # The rows are a part of the batch's hidden states, and begin where it begins in them.
        first = x.storage_offset() // x.shape[-1]
        slots = self.token_lora_indices[first : first + len(x)]
    columns = min(y.shape[-1], lora_b_stacked.shape[-2])
    for rows, slot in _runs(slots):
        inner = (x[rows] @ lora_a_stacked[slot, 0].T).float().mul_(scale)
        y[rows, :columns] += inner.to(y.dtype) @ lora_b_stacked[slot, 0, :columns].T.to(y.dtype)
