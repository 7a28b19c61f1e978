"""Sampling on a CPU with one random number for each row of a batch.

vLLM 0.32 draws noise for every token of the vocabulary, which took a sixth of a step of a model with 49,152 tokens.
Here one uniform number finds the token in the cumulative probabilities. They are summed in blocks, so that only one
block of a row is gone through token by token. A request with a seed takes its number from its own generator, so its
numbers do not depend on the requests beside it.
"""

import functools
import math
from typing import Final

import torch
from torch import Generator, Tensor
from vllm.config.model import PROCESSED_LOGPROBS_MODES
from vllm.v1.sample.ops.topk_topp_sampler import TopKTopPSampler, apply_top_k_top_p

_BLOCK: Final = 256


def draw_by_cumulative_probability() -> None:
    """Wraps vLLM's sampler of CPUs; what is asked for with other noise or processed values stays vLLM's."""
    unfixed = TopKTopPSampler.forward_cpu

    @functools.wraps(unfixed)
    def forward_cpu(
        self: TopKTopPSampler, logits: Tensor, generators: dict[int, Generator], k: Tensor | None, p: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        if self.use_fp64_gumbel or self.logprobs_mode in PROCESSED_LOGPROBS_MODES:
            return unfixed(self, logits, generators, k, p)
        uniform = torch.rand(len(logits), dtype=torch.float64)
        for row, generator in generators.items():
            uniform[row] = torch.rand((), generator=generator, dtype=torch.float64)
        kept = apply_top_k_top_p(logits, k, p)
        return draw(kept.softmax(dim=-1, dtype=torch.float32), uniform), None

    TopKTopPSampler.forward_cpu = forward_cpu  # type: ignore[method-assign]


def draw(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The token of each row at which its cumulative probability passes the row's number.

    Args:
        probabilities: [rows, vocabulary].
        uniform: [rows], at least 0 and below 1.
    """
    rows, vocabulary = probabilities.shape
    width = math.gcd(vocabulary, _BLOCK)
    blocks = probabilities.view(rows, -1, width)
    sums = blocks.sum(dim=-1).double()
    block, left = _pass(sums, uniform * sums.sum(dim=-1))
    token, _ = _pass(blocks[torch.arange(rows), block].double(), left)
    return block * width + token


def _pass(weights: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Where the running sum of each row passes its target, and what of the target is left at that place's beginning.

    A target is kept within the row's sum, which rounding may take it out of: no place of weight 0 is ever found.
    """
    running = weights.cumsum(dim=-1)
    total = running[:, -1]
    target = target.clamp(min=0).minimum(total.nextafter(torch.zeros_like(total)))
    found = torch.searchsorted(running, target.unsqueeze(1), right=True).clamp_(max=weights.shape[-1] - 1)
    before = running.gather(1, found) - weights.gather(1, found)
    return found.squeeze(1), target - before.squeeze(1)
