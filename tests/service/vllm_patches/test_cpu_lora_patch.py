"""Rows of a batch get the adapter they ask for, and none where they ask for none."""

from types import SimpleNamespace

import pytest
import torch
from selfjudge_service.vllm_patches.cpu_lora_patch import (
    _add_linear,
    _add_logits,
    _expand_slice,
    _Reading,
    _runs,
    _shrink,
    multiply_by_runs,
)
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU
from vllm.v1.worker.gpu_model_runner import GPUModelRunner

SLOTS = torch.tensor([-1, 0, 0, -1, 1, 0])


def test_runs_are_of_equal_slots_and_none_is_no_slot() -> None:
    assert _runs(SLOTS) == [(slice(1, 3), 0), (slice(4, 5), 1), (slice(5, 6), 0)]
    assert _runs(torch.tensor([-1, -1])) == []


@pytest.mark.parametrize("add", [False, True])
def test_each_row_is_multiplied_by_its_own_adapter_row_by_row(*, add: bool) -> None:
    torch.manual_seed(0)
    inputs, down, up = torch.randn(6, 5), torch.randn(2, 1, 3, 5), torch.randn(2, 1, 4, 3)
    wrapper = SimpleNamespace(runs=_runs(SLOTS))
    middle, output = torch.zeros(6, 3), torch.ones(6, 8)
    _shrink(wrapper, middle, inputs, down, 0.5)
    _expand_slice(wrapper, output, middle, up, 2, 4, add)
    for row, slot in enumerate(SLOTS.tolist()):
        expected = torch.ones(8)
        if slot >= 0:
            expected[2:6] = up[slot, 0] @ (0.5 * down[slot, 0] @ inputs[row]) + add
        torch.testing.assert_close(output[row], expected)


def test_slices_of_a_layer_have_matrices_of_their_own() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(6, 5)
    down, up = [torch.randn(2, 1, 3, 5) for _ in range(2)], [torch.randn(2, 1, outputs, 3) for outputs in (4, 2)]
    output = torch.ones(6, 6)
    _add_linear(SimpleNamespace(runs=_runs(SLOTS)), output, inputs, tuple(down), tuple(up), 0.5, (4, 2))
    for row, slot in enumerate(SLOTS.tolist()):
        expected = torch.ones(6)
        if slot >= 0:
            expected += torch.cat(
                [b[slot, 0] @ (0.5 * a[slot, 0] @ inputs[row]) for a, b in zip(down, up, strict=True)]
            )
        torch.testing.assert_close(output[row], expected)


@pytest.mark.parametrize("of_prompt", [False, True])
def test_logits_have_the_adapter_of_their_own_token(*, of_prompt: bool) -> None:
    """Tokens are sampled from some of a batch's rows; of a prompt, all of its rows have logits."""
    torch.manual_seed(0)
    hidden, down, up = torch.randn(6, 5), torch.randn(2, 1, 3, 5), torch.randn(2, 1, 10, 3)
    sampled = torch.tensor([0, 2, 4])
    wrapper = SimpleNamespace(token_lora_indices=SLOTS, sampler_indices=SLOTS[sampled])
    rows, slots = (hidden[1:5], SLOTS[1:5]) if of_prompt else (hidden[sampled], SLOTS[sampled])
    logits = torch.ones(len(rows), 8)
    if of_prompt:
        with _Reading.prompts():
            _add_logits(wrapper, logits, rows, down, up, 0.5)
    else:
        _add_logits(wrapper, logits, rows, down, up, 0.5)
    for row, slot in enumerate(slots.tolist()):
        expected = torch.ones(8)
        if slot >= 0:
            expected += up[slot, 0, :8] @ (0.5 * down[slot, 0] @ rows[row])
        torch.testing.assert_close(logits[row], expected)


def test_vllm_multiplies_so_and_says_when_it_reads_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {
        "_shrink_prefill": "_shrink",
        "_expand_slice_prefill": "_expand_slice",
        "add_lora_logits": "_add_logits",
        "add_lora_linear": "_add_linear",
    }
    for name in (*ours, "_expand_prefill", "_update_prefill_metadata"):  # as they are, to be put back
        monkeypatch.setattr(PunicaWrapperCPU, name, getattr(PunicaWrapperCPU, name))
    monkeypatch.setattr(GPUModelRunner, "_get_prompt_logprobs_dict", lambda _: _Reading.of_prompts)
    multiply_by_runs()
    assert {name: getattr(PunicaWrapperCPU, name).__name__ for name in ours} == ours
    assert GPUModelRunner._get_prompt_logprobs_dict(None)  # type: ignore[arg-type, call-arg]
    assert not _Reading.of_prompts
