"""One optimizer step on preference pairs: micro-batches dealt out to processes, gradients added up, one update.

What is minimised is the mean over the batch (the expectation of section 3.2), to which a prompt whose pair is skipped
adds nothing: two equal samples have no gradient under any of the losses. So a pair weighs the same in every step,
however many are skipped beside it, and however they are cut into micro-batches and spread over processes. Only the
adapter learns, so processes exchange its few gradients once a step, in place of DDP's wrapper around the model, which
would want equally many micro-batches everywhere. Knows nothing of prompts and judges.
"""

import math
from collections.abc import Sequence

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from peft import PeftModel
from torch import Tensor

from selfjudge_training.seeds import derived_seed
from selfjudge_training.self_training.losses import Pair, log_ratios, preference_losses
from selfjudge_training.self_training.policy import trained_parameters
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig


class Learner:
    """A policy, its optimizer and its learning rate over a known number of steps."""

    def __init__(self, config: SelfTrainingConfig, policy: PeftModel, accelerator: Accelerator, steps: int) -> None:
        self.policy, self._config, self._accelerator = policy, config, accelerator
        how = config.optimisation
        self._warm_up = math.ceil(how.warm_up * steps)
        self._parameters = list(trained_parameters(policy).values())
        self.optimizer = torch.optim.AdamW(self._parameters, lr=how.learning_rate, betas=how.betas, weight_decay=0.0)

    def learn(self, pairs: Sequence[Pair], step: int) -> dict[str, float]:
        """Update the policy on those pairs of a batch that are not skipped; figures are as they were before it.

        Where there are none, only `kl` is measured: the mean log-ratio of all responses, in nats. On-policy, these are
        samples of the policy, and this is an estimate of KL(policy, reference) per response, as good as top-p lets it
        be, and the choice of two among more samples. From a sampled buffer they are the reference's samples, and it
        estimates -KL(reference, policy).

        All processes give the same. Raises FloatingPointError for an infinite loss.
        """
        learned, skipped = ([pair for pair in pairs if pair.skipped is skips] for skips in (False, True))
        self.policy.train()
        *sums, kl = self._sums(learned, step, learned_over=len(pairs))
        if not math.isfinite(sums[0]):
            raise FloatingPointError(f"the loss is {sums[0]} at step {step}; lower optimisation.learning_rate")
        if skipped:
            kl += self._sums(skipped, step)[-1]
        figures = {"kl": kl / len(pairs), "learning_rate": self.learning_rate(step)}
        return figures | _means(sums, len(learned)) | {"gradient_norm": self._update(step)} if learned else figures

    def measure(self, pairs: Sequence[Pair]) -> dict[str, float]:
        """Loss and rewards of pairs that nothing is learned from, without dropout."""
        self.policy.eval()
        return _means(self._sums(pairs, 0)[:-1], len(pairs))

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0: a linear warm-up, then constant (table 9)."""
        return self._config.optimisation.learning_rate * min(1.0, (step + 1) / max(1, self._warm_up))

    def _sums(self, pairs: Sequence[Pair], step: int, learned_over: int | None = None) -> list[float]:
        """Of loss, margin, accuracy and KL over pairs, in micro-batches of like length.

        With ``learned_over``, the size of the batch that they are a part of, their gradients are added up.
        """
        by_length = sorted(pairs, key=lambda pair: len(pair.prompt) + max(len(pair.chosen), len(pair.rejected)))
        size, totals = self._config.machine.micro_batch, torch.zeros(4, dtype=torch.float64)
        starts = range(0, len(pairs), size)
        for number in range(self._accelerator.process_index, len(starts), self._accelerator.num_processes):
            torch.manual_seed(derived_seed(self._config.seed, "dropout", step, number))  # the same in any process
            with torch.set_grad_enabled(learned_over is not None):
                rows = self._rows(by_length[starts[number] : starts[number] + size])
                if learned_over is not None:
                    (rows[0].sum() / learned_over).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            totals += rows.detach().sum(dim=1).double().cpu()
        summed: list[float] = self._accelerator.reduce(totals.float().to(self._accelerator.device), "sum").tolist()
        return summed

    def _rows(self, pairs: Sequence[Pair]) -> Tensor:
        """Loss, margin, accuracy and KL of each, [4, pairs]; gradients flow into the first."""
        objective, (ratios, tokens) = self._config.objective, log_ratios(self.policy, pairs)
        losses = preference_losses(objective, ratios, tokens)
        chosen, rejected = ratios.detach()
        margin = chosen - rejected
        return torch.stack([losses, objective.beta * margin, (margin > 0).float(), (chosen + rejected) / 2])

    def _update(self, step: int) -> float:
        """Add up the processes' gradients, clip, and take the step; returns the norm before clipping."""
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]
        for parameter, whole in zip(self._parameters, self._accelerator.reduce(gradients, "sum"), strict=True):
            parameter.grad = whole
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._config.optimisation.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(step)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return float(norm)


def _means(sums: Sequence[float], pairs: int) -> dict[str, float]:
    loss, margin, accuracy = (each / pairs for each in sums)
    return {"loss": loss, "reward/margin": margin, "reward/accuracy": accuracy}
