"""Log-ratios of policy and reference on preference pairs, where the reference is the policy without its adapter.

One copy of the weights serves both, where section 3.2 holds two. Leaves out losses, and how gradients are gathered.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel
from trl.trainer.utils import add_fused_lm_head

from selfjudge_training.self_training.losses import LogRatios
from selfjudge_training.self_training.preferences import Preference

IGNORED = -100
"""Label of tokens that belong to no response."""


class _Batch(NamedTuple):
    """Prompts with their responses, padded at the right: the chosen ones, then the rejected ones."""

    ids: Tensor
    """[2 * pairs, tokens]"""
    attention: Tensor
    """Likewise; 1 where no padding is."""
    labels: Tensor
    """Likewise; `ids` at tokens of responses, IGNORED elsewhere."""


def add_head(model: PreTrainedModel) -> None:
    """Have a model give log-probabilities in place of logits, as `log_ratios` needs it; to be called once, before PEFT.

    TRL's head, with which JSFT and offline DPO learn too, makes logits in tiles and again for the gradient. All at once
    they are the largest thing in memory: 10 GB for 8 sequences of 2,048 tokens and a vocabulary of 152,000.
    """
    add_fused_lm_head(model)


def log_ratios(policy: PeftModel, pairs: Sequence[Preference]) -> LogRatios:
    """Log-ratios of each pair's responses, their log-probabilities summed over tokens, in float32.

    Gradients flow into the adapter. Its dropout is on where the policy is in train mode, and never for the reference.
    """
    batch = _collate(pairs, policy.device)
    of_policy = _log_probabilities(policy, batch)
    training = policy.training
    policy.eval()
    with torch.no_grad(), policy.disable_adapter():
        of_reference = _log_probabilities(policy, batch)
    policy.train(training)
    chosen, rejected = (of_policy - of_reference).chunk(2)
    return LogRatios(chosen, rejected, *(batch.labels != IGNORED).sum(dim=1).chunk(2))


def _collate(pairs: Sequence[Preference], device: torch.device) -> _Batch:
    rows = [(pair.prompt, pair.chosen) for pair in pairs] + [(pair.prompt, pair.rejected) for pair in pairs]
    width = max(len(prompt) + len(response) for prompt, response in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    attention, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
    for row, (prompt, response) in enumerate(rows):
        end = len(prompt) + len(response)
        ids[row, :end] = torch.tensor(prompt + response)
        attention[row, :end] = 1
        labels[row, len(prompt) : end] = torch.tensor(response)
    return _Batch(ids.to(device), attention.to(device), labels.to(device))


def _log_probabilities(policy: PeftModel, batch: _Batch) -> Tensor:
    """Log-probability of each response, [2 * pairs]."""
    output = policy(
        input_ids=batch.ids, attention_mask=batch.attention, use_cache=False, labels=batch.labels, fused_lm_head=True
    )
    summed: Tensor = output.log_probs.sum(dim=1)
    return summed
