"""The training loop that pre-training and JSFT share: documents in, updated weights out.

A compact loop of our own in place of a trainer library, since on short documents and two cores it is what the time
goes into: no padding waste, no cross-core wait inside an operation, Muon on the matrices. Leaves out evaluation and
checkpoints, which stages do in ``after_step``, and precision other than float32, which is what the CPU is fast in.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from tqdm import tqdm
from transformers import LlamaForCausalLM

from training.batches import MicroBatch, micro_batches
from training.documents import Document
from training.loss import EarlyTargets, weighted_loss
from training.muon import Muon
from training.recipe import Rates


class Trainer:
    """One model, its optimizers, and a replica of it on each worker that shares its weights but not its gradients."""

    def __init__(
        self, model: LlamaForCausalLM, pad_id: int, rates: Rates, early: EarlyTargets | None, workers: int
    ) -> None:
        self.model, self._pad, self._early = model, pad_id, early
        embedding = model.get_input_embeddings().weight
        matrices = [p for p in model.parameters() if p.ndim == 2 and p is not embedding]
        others = [p for p in model.parameters() if p.ndim != 2 or p is embedding]
        self._optimizers: tuple[tuple[torch.optim.Optimizer, float], ...] = (
            (Muon(matrices, rates.matrices), rates.matrices),
            (torch.optim.AdamW(others, rates.others, betas=(0.9, 0.98), weight_decay=0.0, fused=True), rates.others),
        )
        self._replicas = [_replica(model) for _ in range(workers)]

    def train(
        self,
        batches: Iterator[Sequence[Document]],
        steps: int,
        factor: Callable[[int], float],
        name: str,
        after_step: Callable[[int], None] | None = None,
    ) -> None:
        """Take one optimizer step per batch, the learning rates times ``factor`` of the step, counted from 0.

        ``after_step`` gets the number of steps taken.

        Raises FloatingPointError where the loss is no longer finite.
        """
        threads = len(self._replicas)
        with (
            ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool,
            tqdm(total=steps, desc=name, unit="step", smoothing=0.02) as bar,
        ):
            smooth = 0.0
            for step in range(steps):
                documents = next(batches)
                parts = micro_batches(documents, self._pad, threads)
                shares = [parts[worker::threads] for worker in range(threads)]
                losses = pool.map(self._accumulate, self._replicas, shares, [len(documents)] * threads)
                loss = sum(losses)
                if not math.isfinite(loss):
                    raise FloatingPointError(f"{name}: the loss is {loss} at step {step}; lower the learning rates")
                self._update(factor(step))
                smooth = loss if not step else 0.98 * smooth + 0.02 * loss
                bar.set_postfix_str(f"loss {smooth:.3f}", refresh=False)
                bar.update()
                if after_step is not None:
                    after_step(step + 1)

    def _accumulate(self, replica: LlamaForCausalLM, share: Sequence[MicroBatch], examples: int) -> float:
        total = 0.0
        for batch in share:
            loss = weighted_loss(replica, batch, self._early) / examples
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            total += float(loss.detach())
        return total

    def _update(self, factor: float) -> None:
        """Sum the replicas' gradients, clip them, and step every optimizer."""
        for main, *others in zip(*(m.parameters() for m in (self.model, *self._replicas)), strict=True):
            gradients: list[Tensor] = [p.grad for p in others if p.grad is not None]
            main.grad = torch.stack(gradients).sum(0) if len(gradients) > 1 else gradients[0]
            for parameter in others:
                parameter.grad = None
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer, rate in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            optimizer.step()
        self.model.zero_grad()


def _replica(model: LlamaForCausalLM) -> LlamaForCausalLM:
    replica = LlamaForCausalLM(model.config)
    for own, shared in zip(replica.parameters(), model.parameters(), strict=True):
        own.data = shared.data
    replica.train()
    return replica
