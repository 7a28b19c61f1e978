"""One optimizer step on preference pairs: micro-batches dealt out to processes, gradients added up, one update.

What is minimised is the mean over the batch (the expectation of section 3.2), to which a prompt whose pair is skipped
adds nothing: two equal samples have no gradient under any of the losses. So a pair weighs the same in every step,
however many are skipped beside it, and however they are cut into micro-batches and spread over processes. Only the
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

from selfjudge_training.seeds import derived_seed
from selfjudge_training.self_training.losses import Preference, log_ratios, preference_losses
from selfjudge_training.self_training.policy import trained_parameters
from selfjudge_training.self_training.self_training_config import Objective, Optimisation


class Measured(NamedTuple):
    """Means over pairs."""

    loss: float
    reward_margin: float
    """beta times the margin of the log-ratios."""
    reward_accuracy: float
    """Share of pairs whose chosen response has the higher implicit reward."""


class Learned(NamedTuple):
    """Figures of a step, as they were before the update."""

    pairs: Measured
    """Those learned from; zeros where there are none."""
    kl: float
    """Mean log-ratio of all responses, those of skipped pairs too, in nats. On-policy, these are samples of the policy,
    and this is an estimate of KL(policy, reference) per response, as good as top-p lets it be. From a sampled buffer
    they are the reference's samples, and it estimates -KL(reference, policy)."""
    gradient_norm: float
    """Of the mean over the batch, before clipping."""


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

    def learn(self, pairs: Sequence[Preference], skipped: Sequence[Preference], step: int) -> Learned:
        """Update the policy on pairs, if any; of the batch's ``skipped`` ones only `kl` is measured.

        All processes give the same. Raises FloatingPointError for an infinite loss.
        """
        batch = len(pairs) + len(skipped)
        self.policy.train()
        *sums, kl = self._sums(pairs, step, learned_over=batch)
        if not math.isfinite(sums[0]):
            raise FloatingPointError(f"the loss is {sums[0]} at step {step}; lower optimisation.learning_rate")
        if skipped:
            kl += self._sums(skipped, step)[-1]
        if not pairs:
            return Learned(Measured(0.0, 0.0, 0.0), kl / batch, 0.0)
        return Learned(Measured(*(each / len(pairs) for each in sums)), kl / batch, self._update(step))

    def measure(self, pairs: Sequence[Preference]) -> Measured:
        """The same figures of pairs that nothing is learned from, without dropout."""
        self.policy.eval()
        return Measured(*(each / len(pairs) for each in self._sums(pairs, 0)[:-1]))

    def _sums(self, pairs: Sequence[Preference], step: int, learned_over: int | None = None) -> list[float]:
        """Of loss, margin, accuracy and KL over pairs, in micro-batches of like length.

        With ``learned_over``, the size of the batch that they are a part of, their gradients are added up.
        """
        by_length = sorted(pairs, key=lambda pair: pair.longest)
        totals = torch.zeros(4, dtype=torch.float64)
        starts = range(0, len(pairs), self._micro_batch)
        for number in range(self._accelerator.process_index, len(starts), self._accelerator.num_processes):
            torch.manual_seed(derived_seed(self._seed, "dropout", step, number))  # the same in whichever process
            part = by_length[starts[number] : starts[number] + self._micro_batch]
            with torch.set_grad_enabled(learned_over is not None):
                rows = self._rows(part)
                if learned_over is not None:
                    (rows[0].sum() / learned_over).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            totals += rows.detach().sum(dim=1).double().cpu()
        summed: list[float] = self._accelerator.reduce(totals.float().to(self._accelerator.device), "sum").tolist()
        return summed

    def _rows(self, pairs: Sequence[Preference]) -> Tensor:
        """Loss, margin, accuracy and KL of each, [4, pairs]; gradients flow into the first."""
        ratios = log_ratios(self.policy, pairs)
        losses = preference_losses(self._objective.loss, ratios, self._objective.beta, self._objective.label_smoothing)
        margin = ratios.margin.detach()
        kl = (ratios.chosen + ratios.rejected).detach() / 2
        return torch.stack([losses, self._objective.beta * margin, (margin > 0).float(), kl])

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
