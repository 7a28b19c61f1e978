"""Log-ratios of policy and reference on preference pairs, where the reference is the policy without its adapter.

One copy of the weights serves both, where section 3.2 holds two. Leaves out losses, and how gradients are gathered.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from peft import PeftModel
from torch import Tensor

from training.self_training.losses import LogRatios
from training.self_training.preferences import Preference


class _Batch(NamedTuple):
    """Prompts with their responses, padded at the right: the chosen ones, then the rejected ones."""

    ids: Tensor
    """[2 * pairs, tokens]"""
    attention: Tensor
    """Likewise; 1 where no padding is."""
    responses: Tensor
    """Likewise; True at tokens of responses."""
    prompt: int
    """Tokens of the shortest prompt: no response begins before."""


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
    return LogRatios(chosen, rejected, *batch.responses.sum(dim=1).chunk(2))


def _collate(pairs: Sequence[Preference], device: torch.device) -> _Batch:
    rows = [(pair.prompt, pair.chosen) for pair in pairs] + [(pair.prompt, pair.rejected) for pair in pairs]
    width = max(len(prompt) + len(response) for prompt, response in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    attention, responses = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for row, (prompt, response) in enumerate(rows):
        end = len(prompt) + len(response)
        ids[row, :end] = torch.tensor(prompt + response)
        attention[row, :end] = 1
        responses[row, len(prompt) : end] = True
    shortest = min(len(prompt) for prompt, _ in rows)
    return _Batch(ids.to(device), attention.to(device), responses.to(device), shortest)


def _log_probabilities(policy: PeftModel, batch: _Batch) -> Tensor:
    """Log-probability of each response, [2 * pairs]. Logits are made only from the shortest prompt's end on."""
    targets = batch.ids[:, batch.prompt :]
    output = policy(
        input_ids=batch.ids, attention_mask=batch.attention, use_cache=False, logits_to_keep=targets.shape[1] + 1
    )
    logits = output.logits[:, :-1].float()
    each = logits.gather(-1, targets[..., None])[..., 0] - logits.logsumexp(-1)
    summed: Tensor = (each * batch.responses[:, batch.prompt :]).sum(dim=1)
    return summed
