"""Top-p on a CPU without sorting the whole vocabulary.

vLLM 0.32 sorts all logits of a row for every token, which took longer than a small model's layers. No token can be in
the nucleus whose probability is below (1 - p) / vocabulary: all such tokens together have less than 1 - p. What is
left, some hundreds of tokens of a language model's 50,000, is sorted. The nucleus is the same.
"""

import torch
from torch import Tensor
from vllm.v1.sample.ops import topk_topp_sampler


def sort_candidates_only() -> None:
    """Replaces vLLM's filter, which its sampler calls by name."""
    topk_topp_sampler.apply_top_k_top_p_pytorch = filter_logits


def filter_logits(logits: Tensor, k: Tensor | None, p: Tensor | None, allow_cpu_sync: bool = False) -> Tensor:  # noqa: ARG001  vLLM's
    """Sets logits outside of a row's top k, and of the nucleus of what that leaves, to minus infinity, in place.

    Args:
        logits: [rows, vocabulary], float32.
        k: of each row; the vocabulary's size keeps all.
        p: of each row; 1 keeps all.
        allow_cpu_sync: ignored; there is nothing to wait for on a CPU.
    """
    if k is not None:
        logits = topk_topp_sampler.apply_top_k_only(logits, k)
    if p is None:
        return logits
    rows = (p < 1).nonzero().squeeze(1)
    if len(rows) == len(logits):
        return _keep(logits, nucleus(logits, p))
    logits[rows] = _keep(logits[rows], nucleus(logits[rows], p[rows]))
    return logits


def nucleus(logits: Tensor, p: Tensor) -> Tensor:
    """Places, as if all rows were one, of the likeliest tokens that reach `p` together, at least one a row."""
    size, vocabulary = logits.shape
    probabilities = logits.softmax(dim=-1)
    candidates = (probabilities >= ((1 - p) / vocabulary).unsqueeze(1)).view(-1).nonzero().squeeze(1)
    row = candidates // vocabulary
    counts = row.bincount(minlength=size)
    column = torch.arange(len(candidates)) - (counts.cumsum(0) - counts)[row]
    table = probabilities.new_zeros(size, int(counts.max()))
    table[row, column] = probabilities.view(-1)[candidates]
    ordered, order = table.sort(dim=-1, descending=True)
    before = ordered.cumsum(dim=-1) - ordered
    kept = torch.zeros_like(table, dtype=torch.bool).scatter_(1, order, before < p.unsqueeze(1))
    return candidates[kept[row, column]]


def _keep(logits: Tensor, places: Tensor) -> Tensor:
    """The logits are a part of wider rows where vLLM has padded the vocabulary."""
    kept = places // logits.shape[1], places % logits.shape[1]
    values = logits[kept]
    logits.fill_(-torch.inf)
    logits[kept] = values
    return logits
