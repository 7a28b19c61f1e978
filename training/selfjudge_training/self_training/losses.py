"""Losses on preference orders: what self-training minimises, given the log-ratios of policy and reference.

All three see a pair only through its margin, how much more the policy than the reference prefers the chosen response
to the rejected one. Leaves out where log-ratios come from (`log_ratios`) and how pairs are averaged (`learner`).
"""

from enum import StrEnum
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Loss(StrEnum):
    """Objectives on preference orders; `beta` is the coefficient of table 9 in all of them."""

    DPO = "dpo"
    """-log sigmoid(beta * margin), Rafailov et al. 2023; the paper's choice (section 3.2)."""
    IPO = "ipo"
    """(margin per token - 1 / (2 * beta))^2, Azar et al. 2023; each response's log-ratio is divided by its length, as
    its authors did in their experiments (so TRL) and did not print."""
    HINGE = "hinge"
    """max(0, 1 - beta * margin): SLiC (Zhao et al. 2023) normalised by the reference, as Liu et al. 2023 have it."""


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


def _losses(loss: Loss, margin: Tensor, beta: float) -> Tensor:
    match loss:
        case Loss.DPO:
            return -F.logsigmoid(beta * margin)
        case Loss.IPO:
            return (margin - 1 / (2 * beta)) ** 2
        case Loss.HINGE:
            return torch.relu(1 - beta * margin)
