"""Tokens are drawn with their probabilities, and a request with a seed draws the same beside any others."""

import pytest
import torch
from selfjudge_service.vllm_patches.cpu_draw_patch import draw, draw_by_cumulative_probability
from torch import Generator
from vllm.config.model import LogprobsMode
from vllm.v1.sample.ops.topk_topp_sampler import TopKTopPSampler


@pytest.fixture
def sampler(monkeypatch: pytest.MonkeyPatch) -> TopKTopPSampler:
    monkeypatch.setattr(TopKTopPSampler, "forward_cpu", TopKTopPSampler.forward_cpu)  # to be put back
    draw_by_cumulative_probability()
    sampler = TopKTopPSampler.__new__(TopKTopPSampler)
    torch.nn.Module.__init__(sampler)
    sampler.logprobs_mode, sampler.use_fp64_gumbel = "raw_logprobs", False
    return sampler


@pytest.mark.parametrize("vocabulary", [7, 512, 768])
def test_frequencies_are_the_probabilities(sampler: TopKTopPSampler, vocabulary: int) -> None:
    """Pearson's statistic of the ten likeliest tokens and the rest; 10 degrees of freedom pass 36 once in 10,000."""
    torch.manual_seed(0)
    logits = torch.randn(vocabulary) * 2
    draws = 40_000
    padded = torch.nn.functional.pad(logits, (0, 8)).repeat(draws, 1)  # as vLLM pads it
    tokens, _ = sampler.forward_cpu(padded[:, :vocabulary], {}, None, None)
    expected, observed = logits.softmax(-1) * draws, tokens.bincount(minlength=vocabulary).float()
    top = expected.topk(min(10, vocabulary - 1)).indices
    rest = torch.tensor([True] * vocabulary).index_fill(0, top, False)
    expected, observed = (torch.cat([counts[top], counts[rest].sum()[None]]) for counts in (expected, observed))
    assert float(((observed - expected) ** 2 / expected).sum()) < 36


def test_every_share_of_the_unit_interval_is_a_tokens_probability() -> None:
    """What is exact, whatever numbers are drawn: a grid of them meets each token as often as its probability says."""
    torch.manual_seed(1)
    probabilities = (torch.randn(1024) * 3).softmax(-1)
    grid = (torch.arange(50_000, dtype=torch.float64) + 0.5) / 50_000
    counts = draw(probabilities.repeat(len(grid), 1), grid).bincount(minlength=1024)
    assert (counts - probabilities * len(grid)).abs().max() <= 1.01


@pytest.mark.parametrize("number", [0.0, 0.3, 1 - 2**-53])
def test_a_token_of_probability_zero_is_never_drawn(number: float) -> None:
    torch.manual_seed(2)
    logits = torch.full((200, 512), -torch.inf)
    for row in logits:
        row[torch.randperm(512)[:5]] = torch.randn(5)
    tokens = draw(logits.softmax(-1), torch.full((200,), number, dtype=torch.float64))
    assert logits.gather(1, tokens.unsqueeze(1)).isfinite().all()


def test_a_seed_draws_the_same_alone_and_among_others(sampler: TopKTopPSampler) -> None:
    torch.manual_seed(3)
    logits = torch.randn(4, 512)
    alone = [
        int(sampler.forward_cpu(logits[2:3].clone(), {0: generator}, None, None)[0])
        for generator in [Generator().manual_seed(9)]
        for _ in range(20)
    ]
    generators = {2: Generator().manual_seed(9)}
    among = [int(sampler.forward_cpu(logits.clone(), generators, None, None)[0][2]) for _ in range(20)]
    assert alone == among
    assert len(set(alone)) > 1


@pytest.mark.parametrize(("mode", "fp64"), [("raw_logprobs", True), ("processed_logprobs", False)])
def test_other_noise_and_processed_values_stay_vllms(
    monkeypatch: pytest.MonkeyPatch, mode: LogprobsMode, *, fp64: bool
) -> None:
    theirs = torch.tensor([7]), None
    monkeypatch.setattr(TopKTopPSampler, "forward_cpu", lambda *_: theirs)
    draw_by_cumulative_probability()
    sampler = TopKTopPSampler.__new__(TopKTopPSampler)
    torch.nn.Module.__init__(sampler)
    sampler.logprobs_mode, sampler.use_fp64_gumbel = mode, fp64
    assert sampler.forward_cpu(torch.zeros(1, 2), {}, None, None) is theirs
