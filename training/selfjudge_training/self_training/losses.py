"""Losses on preference pairs, and the log-ratios of policy and reference that they are made of.

The reference is the policy without its adapter: one copy of the weights serves both, where section 3.2 holds two. All
losses see a pair only through its margin, how much more the policy than the reference prefers the chosen response.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import torch
import torch.nn.functional as F
from peft import PeftModel
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel
from trl.trainer.utils import add_fused_lm_head

IGNORED = -100
"""Label of tokens that belong to no response."""


class Loss(StrEnum):
    """Objectives on preference orders; `beta` is the coefficient of table 9 in all of them."""

    DPO = "dpo"
    """-log sigmoid(beta * margin), Rafailov et al. 2023; the paper's choice (section 3.2)."""
    IPO = "ipo"
    """(margin per token - 1 / (2 * beta))^2, Azar et al. 2023; each response's log-ratio is divided by its length, as
    its authors did in their experiments (so TRL) and did not print."""
    HINGE = "hinge"
    """max(0, 1 - beta * margin): SLiC (Zhao et al. 2023) normalised by the reference, as Liu et al. 2023 have it."""


class Preference(NamedTuple):
    """One pair to learn from, in token ids: what the policy generated is what the loss is taken over."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]

    @property
    def longest(self) -> int:
        """Tokens of the longer of the two sequences."""
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


class LogRatios(NamedTuple):
    """For pairs, log(policy / reference) of whole responses, and how many tokens these have. All tensors [pairs]."""

    chosen: Tensor
    rejected: Tensor
    chosen_tokens: Tensor
    rejected_tokens: Tensor

    @property
    def margin(self) -> Tensor:
        """Log-ratio of the chosen response less that of the rejected one, [pairs]; times beta, the reward margin."""
        return self.chosen - self.rejected


def preference_losses(loss: Loss, ratios: LogRatios, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """The loss of each pair, [pairs].

    ``label_smoothing``, in [0, 0.5), is the share of labels taken to be wrong: so much of each pair's loss is that of
    the opposite order (for DPO this is conservative DPO, Mitchell 2023).
    """
    margin = ratios.margin
    if loss is Loss.IPO:
        margin = ratios.chosen / ratios.chosen_tokens - ratios.rejected / ratios.rejected_tokens
    losses = _losses(loss, margin, beta)
    if label_smoothing:
        losses = torch.lerp(losses, _losses(loss, -margin, beta), label_smoothing)
    return losses


def add_head(model: PreTrainedModel) -> None:
    """Have a model give log-probabilities in place of logits, as `log_ratios` needs it; to be called once, before PEFT.

    TRL's head makes logits in tiles and again for the gradient. All at once they are the largest thing in memory: 10 GB
    for 8 sequences of 2,048 tokens and a vocabulary of 152,000.
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
    return LogRatios(chosen, rejected, *(batch["labels"] != IGNORED).sum(dim=1).chunk(2))


def _losses(loss: Loss, margin: Tensor, beta: float) -> Tensor:
    match loss:
        case Loss.DPO:
            return -F.logsigmoid(beta * margin)
        case Loss.IPO:
            return (margin - 1 / (2 * beta)) ** 2
        case Loss.HINGE:
            return torch.relu(1 - beta * margin)


def _collate(pairs: Sequence[Preference], device: torch.device) -> dict[str, Tensor]:
    """Prompts with their responses, the chosen ones, then the rejected ones, padded at the right.

    All of shape [2 * pairs, tokens]; labels are IGNORED but at tokens of responses.
    """
    rows = [(pair.prompt, pair.chosen) for pair in pairs] + [(pair.prompt, pair.rejected) for pair in pairs]
    ids = [torch.tensor(prompt + response) for prompt, response in rows]
    labels = [torch.tensor([IGNORED] * len(prompt) + response) for prompt, response in rows]
    batch = {
        "input_ids": pad_sequence(ids, batch_first=True),
        "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
    }
    return {name: tensor.to(device) for name, tensor in batch.items()}


def _log_probabilities(policy: PeftModel, batch: dict[str, Tensor]) -> Tensor:
    """Log-probability of each response, [2 * pairs]."""
    summed: Tensor = policy(**batch, use_cache=False, fused_lm_head=True).log_probs.sum(dim=1)
    return summed
