"""Rows of a batch get the adapter they ask for, and none where they ask for none."""

from types import SimpleNamespace

import pytest
import torch

from service.lora_fix import _expand_slice, _runs, _shrink

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
