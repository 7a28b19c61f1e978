"""Preference pairs, and their losses, made of log-ratios of policy and reference.

The reference is the policy without its adapter: one copy of the weights serves both, where section 3.2 holds two. All
losses see a pair only through its margin, how much more the policy than the reference prefers the chosen response.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from peft import PeftModel
from torch import Tensor
from trl.trainer.dpo_trainer import DataCollatorForPreference

from selfjudge_training.self_training.self_training_config import Loss, Objective

IGNORED = -100
"""Label of tokens that belong to no response."""


class Pair(NamedTuple):
    """Two responses to one prompt in token ids, and what became of them: unless it is skipped, a pair is learned."""

    prompt: list[int]
    chosen: list[int]
    """What was generated, as the loss is taken over it; one of two samples between which there is no choice."""
    rejected: list[int]
    equal: bool = False
    """The samples say the same."""
    tie: bool = False
    """The judge prefers neither."""
    close: bool = False
    """The judge's preference is weaker than the margin asked for."""
    consistent: bool | None = None
    """Whether the judge said the same in both orders; None where it was not asked in both."""
    score: float | None = None
    """Mean of the scores of the prompt's samples, by which the two were chosen; None where there were none."""
    sampled_tokens: float | None = None
    """Mean length of the prompt's samples, of which there may be more than these two; None where none was sampled."""

    @property
    def skipped(self) -> bool:
        """Whether nothing is learned from them."""
        return self.equal or self.tie or self.close


def preference_losses(objective: Objective, ratios: Tensor, tokens: Tensor) -> Tensor:
    """The loss of each pair, [pairs], by what `log_ratios` gives.

    Smoothing mixes in the loss of the opposite order; for DPO this is conservative DPO (Mitchell 2023).
    """
    chosen, rejected = ratios / tokens if objective.loss is Loss.IPO else ratios
    losses = _losses(objective, chosen - rejected)
    if objective.label_smoothing:
        losses = torch.lerp(losses, _losses(objective, rejected - chosen), objective.label_smoothing)
    return losses


def _losses(objective: Objective, margin: Tensor) -> Tensor:
    match objective.loss:
        case Loss.DPO:
            return -F.logsigmoid(objective.beta * margin)
        case Loss.IPO:
            return (margin - 1 / (2 * objective.beta)) ** 2
        case Loss.HINGE:
            return torch.relu(1 - objective.beta * margin)


def log_ratios(policy: PeftModel, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    """Log(policy / reference) of chosen and of rejected responses, and how many tokens these have, both [2, pairs].

    Summed over tokens, in float32. Gradients flow into the adapter. Its dropout is on where the policy is in train
    mode, and never for the reference.
    """
    rows = [{"prompt_ids": pair.prompt, "chosen_ids": pair.chosen, "rejected_ids": pair.rejected} for pair in pairs]
    batch = {key: made.to(policy.device) for key, made in DataCollatorForPreference(0).torch_call(rows).items()}
    responses = batch.pop("completion_mask").bool()
    batch["labels"] = batch["input_ids"].where(responses, IGNORED)
    of_policy = _log_probabilities(policy, batch)
    training = policy.training
    policy.eval()
    with torch.no_grad(), policy.disable_adapter():
        of_reference = _log_probabilities(policy, batch)
    policy.train(training)
    return (of_policy - of_reference).view(2, -1), responses.sum(dim=1).view(2, -1)


def _log_probabilities(policy: PeftModel, batch: dict[str, Tensor]) -> Tensor:
    """Of each response, [2 * pairs]."""
    summed: Tensor = policy(**batch, use_cache=False, fused_lm_head=True).log_probs.sum(dim=1)
    return summed
