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

from selfjudge_training.self_training.config import Objective, Optimisation
from selfjudge_training.self_training.log_ratios import log_ratios
from selfjudge_training.self_training.losses import LogRatios, preference_losses
from selfjudge_training.self_training.preferences import Preference
from selfjudge_training.self_training.seeds import derived_seed
from selfjudge_training.self_training.state import trained_parameters


class Learned(NamedTuple):
    """Figures of a step, as they were before the update; all but `kl` are means over the pairs learned from, or 0."""

    loss: float
    reward_margin: float
    """beta times the margin of the log-ratios."""
    reward_accuracy: float
    """Share of pairs whose chosen response has the higher implicit reward."""
    kl: float
    """Mean log-ratio of all responses, those of skipped pairs too, in nats. On-policy, these are samples of the policy,
    and this is an estimate of KL(policy, reference) per response, as good as top-p lets it be. From a buffer they are
    the reference's samples, and it estimates -KL(reference, policy)."""
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
        batch, learnt = len(pairs) + len(skipped), self._parts(pairs)
        parts = learnt + self._parts(skipped)
        totals = torch.zeros(4, dtype=torch.float64)
        self.policy.train()
        for number in range(self._accelerator.process_index, len(parts), self._accelerator.num_processes):
            torch.manual_seed(derived_seed(self._seed, "dropout", step, number))  # the same in whichever process
            totals += self._accumulate(parts[number], batch) if number < len(learnt) else self._measure(parts[number])
        loss, margin, accuracy, kl = self._accelerator.reduce(
            totals.float().to(self._accelerator.device), "sum"
        ).tolist()
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} at step {step}; lower optimisation.learning_rate")
        if not pairs:
            return Learned(0.0, 0.0, 0.0, kl / batch, 0.0)
        of = len(pairs)
        return Learned(loss / of, margin / of, accuracy / of, kl / batch, self._update(step))

    def _parts(self, pairs: Sequence[Preference]) -> list[list[Preference]]:
        """Micro-batches of pairs of like length."""
        by_length = sorted(pairs, key=lambda pair: len(pair.prompt) + max(len(pair.chosen), len(pair.rejected)))
        return [by_length[start : start + self._micro_batch] for start in range(0, len(by_length), self._micro_batch)]

    def _accumulate(self, pairs: Sequence[Preference], batch: int) -> Tensor:
        """Add the gradients of some pairs of a batch; returns their sums of loss, margin, accuracy and KL."""
        ratios = log_ratios(self.policy, pairs)
        losses = preference_losses(self._objective.loss, ratios, self._objective.beta, self._objective.label_smoothing)
        (losses.sum() / batch).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        margin = ratios.margin.detach()
        rows = torch.stack([losses.detach(), self._objective.beta * margin, (margin > 0).float(), _kl(ratios)])
        return rows.sum(dim=1).double().cpu()

    def _measure(self, pairs: Sequence[Preference]) -> Tensor:
        """The same sums of pairs that nothing is learned from: the KL alone."""
        with torch.no_grad():
            kl = _kl(log_ratios(self.policy, pairs)).sum().double().cpu()
        return torch.stack([*torch.zeros(3, dtype=torch.float64), kl])

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


def _kl(ratios: LogRatios) -> Tensor:
    """Mean log-ratio of the two responses of each pair, [pairs]."""
    return (ratios.chosen + ratios.rejected).detach() / 2
