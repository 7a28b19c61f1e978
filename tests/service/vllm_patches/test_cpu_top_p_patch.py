"""The nucleus is that of vLLM's own filter, which sorts everything."""

import pytest
import torch
from selfjudge_service.vllm_patches.cpu_top_p_patch import filter_logits, sort_candidates_only
from vllm.v1.sample.ops import topk_topp_sampler

VLLMS = topk_topp_sampler.apply_top_k_top_p_pytorch
VOCABULARY = 3000


def logits(rows: int, spread: float) -> torch.Tensor:
    """Of doubles: in these the two sums, from the top and from the bottom, do not differ where it matters."""
    return torch.randn(rows, VOCABULARY, dtype=torch.float64) * spread


@pytest.mark.parametrize("spread", [0.1, 2.0, 8.0])
@pytest.mark.parametrize("p", [0.01, 0.5, 0.95, 0.999])
def test_the_nucleus_is_the_same(spread: float, p: float) -> None:
    torch.manual_seed(0)
    given, every = logits(5, spread), torch.full((5,), p, dtype=torch.float64)
    expected = VLLMS(given.clone(), None, every)
    assert torch.equal(filter_logits(given.clone(), None, every), expected)
    assert expected.isneginf().any()


def test_rows_ask_for_different_things() -> None:
    """Each of top k, top p, both, and neither; with tokens that a grammar forbids."""
    torch.manual_seed(1)
    given = logits(4, 3.0)
    given[:, ::3] = -torch.inf
    p = torch.tensor([0.9, 1.0, 0.8, 1.0], dtype=torch.float64)
    k = torch.tensor([VOCABULARY, 10, 4, VOCABULARY], dtype=torch.int32)
    found = filter_logits(given.clone(), k, p)
    assert torch.equal(found, VLLMS(given.clone(), k, p))
    assert torch.equal(found[3], given[3])
    assert torch.equal(filter_logits(given.clone(), None, p), VLLMS(given.clone(), None, p))
    assert torch.equal(filter_logits(given.clone(), k, None), VLLMS(given.clone(), k, None))


def test_a_padded_vocabulary_is_left_as_it_is_beyond_its_tokens() -> None:
    torch.manual_seed(2)
    padded, p = logits(3, 2.0), torch.full((3,), 0.9, dtype=torch.float64)
    given = padded[:, :-64]
    expected, beyond = VLLMS(given.clone(), None, p), padded[:, -64:].clone()
    assert torch.equal(filter_logits(given, None, p), expected)
    assert torch.equal(padded[:, -64:], beyond)


def test_all_tokens_alike_leave_as_many_as_reach_p() -> None:
    kept = filter_logits(torch.zeros(2, 1000), None, torch.tensor([1e-9, 0.5])).isfinite().sum(dim=-1)
    assert kept.tolist() == [1, 500]


def test_vllms_sampler_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topk_topp_sampler, "apply_top_k_top_p_pytorch", VLLMS)  # to be put back
    sort_candidates_only()
    assert topk_topp_sampler.apply_top_k_top_p.__globals__["apply_top_k_top_p_pytorch"] is filter_logits
