"""One optimizer step on preference pairs: micro-batches dealt out to processes, gradients added up, one update.

The mean is over all pairs of the step, however they are cut into micro-batches and spread over processes. Only the
adapter learns, so processes exchange one small vector a step, in place of DDP's wrapper around the model, which would
want equally many micro-batches everywhere. Knows nothing of prompts and judges.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from peft import PeftModel
from torch import Tensor

from training.self_training.config import Objective, Optimisation
from training.self_training.log_ratios import log_ratios
from training.self_training.losses import preference_losses
from training.self_training.preferences import Preference
from training.self_training.seeds import derived_seed
from training.self_training.state import trained_parameters


class Learned(NamedTuple):
    """Means over the pairs of a step, as they were before the update."""

    loss: float
    reward_margin: float
    """beta times the margin of the log-ratios."""
    reward_accuracy: float
    """Share of pairs whose chosen response has the higher implicit reward."""
    kl: float
    """Mean log-ratio of the responses learnt from, in nats. On-policy, these are samples of the policy, and this is an
    estimate of KL(policy, reference) per response, as good as top-p and the skipping of pairs let it be. From a buffer
    they are the reference's samples, and it estimates -KL(reference, policy)."""
    gradient_norm: float
    """Before clipping."""


class Learner:
    """A policy, its optimizer and its learning rate over a known number of steps."""

    def __init__(
        self,
        policy: PeftModel,
        accelerator: Accelerator,
        objective: Objective,
        optimisation: Optimisation,
        *,
        micro_batch: int,
        steps: int,
        seed: int,
    ) -> None:
        self.policy, self._accelerator, self._seed = policy, accelerator, seed
        self._objective, self._optimisation, self._micro_batch = objective, optimisation, micro_batch
        self._warm_up = math.ceil(optimisation.warm_up * steps)
        self._parameters = list(trained_parameters(policy).values())
        self.optimizer = torch.optim.AdamW(
            self._parameters, lr=optimisation.learning_rate, betas=optimisation.betas, weight_decay=0.0
        )

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0: a linear warm-up, then constant (table 9)."""
        return self._optimisation.learning_rate * min(1.0, (step + 1) / max(1, self._warm_up))

    def learn(self, pairs: Sequence[Preference], step: int) -> Learned:
        """Update the policy on pairs, the same in all processes. Raises FloatingPointError for an infinite loss."""
        size, processes = self._micro_batch, self._accelerator.num_processes
        by_length = sorted(pairs, key=lambda pair: len(pair.prompt) + max(len(pair.chosen), len(pair.rejected)))
        parts = [by_length[start : start + size] for start in range(0, len(by_length), size)]
        totals = torch.zeros(4, dtype=torch.float64)
        self.policy.train()
        for number in range(self._accelerator.process_index, len(parts), processes):
            torch.manual_seed(derived_seed(self._seed, "dropout", step, number))  # the same in whichever process
            totals += self._accumulate(parts[number], len(pairs))
        loss, margin, accuracy, kl = self._accelerator.reduce(
            totals.float().to(self._accelerator.device), "sum"
        ).tolist()
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} at step {step}; lower optimisation.learning_rate")
        return Learned(loss, margin, accuracy, kl, self._update(step))

    def _accumulate(self, pairs: Sequence[Preference], of: int) -> Tensor:
        """Add the gradients of some of a step's ``of`` pairs; returns their share of loss, margin, accuracy and KL."""
        ratios = log_ratios(self.policy, pairs)
        losses = preference_losses(self._objective.loss, ratios, self._objective.beta, self._objective.label_smoothing)
        (losses.sum() / of).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        margin = ratios.margin.detach()
        kl = (ratios.chosen + ratios.rejected).detach() / 2
        rows = torch.stack([losses.detach(), self._objective.beta * margin, (margin > 0).float(), kl])
        return rows.sum(dim=1).double().cpu() / of

    def _update(self, step: int) -> float:
        """Add up the processes' gradients, clip, and take the step; returns the norm before clipping."""
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]
        whole = self._accelerator.reduce(torch.cat([gradient.flatten() for gradient in gradients]), "sum")
        pieces = whole.split([parameter.numel() for parameter in self._parameters])
        for parameter, piece in zip(self._parameters, pieces, strict=True):
            parameter.grad = piece.view_as(parameter)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._optimisation.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(step)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return float(norm)
