"""The training loop that pre-training and JSFT share: documents in, updated weights out.

A compact loop of our own in place of TRL's SFTTrainer, since it is what the time goes into: no padding waste, processes
that wait once a step, weights by example, Muon on the matrices. Leaves out evaluation and checkpoints, which stages do
in ``after_step``, and precision other than float32, which is what the CPU is fast in.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from tqdm import tqdm
from transformers import LlamaForCausalLM

from experiments.letters.letters_recipe import Rates
from experiments.letters.model.documents import Document
from experiments.letters.training.loss import EarlyTargets
from experiments.letters.training.muon import Muon
from experiments.letters.training.workers import GradientWorkers, Job


class Trainer:
    """One model and its optimizers."""

    def __init__(
        self, model: LlamaForCausalLM, pad_id: int, rates: Rates, early: EarlyTargets | None, workers: int
    ) -> None:
        self.model, self._job, self._workers = model.train(), Job(pad_id, early), workers
        embedding = model.get_input_embeddings().weight
        matrices = [p for p in model.parameters() if p.ndim == 2 and p is not embedding]
        others = [p for p in model.parameters() if p.ndim != 2 or p is embedding]
        self._optimizers: tuple[tuple[torch.optim.Optimizer, float], ...] = (
            (Muon(matrices, rates.matrices), rates.matrices),
            (torch.optim.AdamW(others, rates.others, betas=(0.9, 0.98), weight_decay=0.0, fused=True), rates.others),
        )

    def train(
        self,
        batches: Iterator[Sequence[Document]],
        steps: int,
        factor: Callable[[int], float],
        name: str,
        after_step: Callable[[int], None] | None = None,
    ) -> None:
        """Take one optimizer step per batch, the learning rates times ``factor`` of the step, counted from 0.

        ``after_step`` gets the number of steps taken. Raises FloatingPointError where the loss is no longer finite.
        """
        smooth = 0.0
        with (
            GradientWorkers(self.model, self._job, self._workers) as workers,
            tqdm(total=steps, desc=name, unit="step", smoothing=0.02) as bar,
        ):
            for step in range(steps):
                loss = workers.compute(next(batches))
                if not math.isfinite(loss):
                    raise FloatingPointError(f"{name}: the loss is {loss} at step {step}; lower the learning rates")
                self._update(factor(step))
                smooth = loss if not step else 0.98 * smooth + 0.02 * loss
                bar.set_postfix_str(f"loss {smooth:.3f}", refresh=False)
                bar.update()
                if after_step is not None:
                    after_step(step + 1)

    def _update(self, factor: float) -> None:
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer, rate in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            optimizer.step()
        self.model.zero_grad()
