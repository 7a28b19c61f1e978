"""Worker processes that compute gradients, one core each.

PyTorch's own way of using several cores splits every operation and waits for its slowest part; on a machine that does
anything else besides, each of these hundreds of waits per step can cost a scheduler's time slice. Threads instead queue
for Python's lock between their small operations. So each core gets a process that works through whole micro-batches
against weights in shared memory, and they wait for each other once a step.
"""

from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import NamedTuple, Self

import torch
from torch import Tensor, multiprocessing
from transformers import LlamaConfig, LlamaForCausalLM

from experiments.letters.model.documents import Document
from experiments.letters.training.batches import MicroBatch, micro_batches
from experiments.letters.training.loss import EarlyTargets, weighted_loss


class Job(NamedTuple):
    """What stays the same from step to step."""

    pad_id: int
    early: EarlyTargets | None


class GradientWorkers:
    """Computes the gradients of a model on batches of documents; a context manager, as it holds processes.

    The calling process is one of the workers.
    """

    def __init__(self, model: LlamaForCausalLM, job: Job, workers: int) -> None:
        self._model, self._job = model, job
        model.share_memory()
        context = multiprocessing.get_context("spawn")
        self._gradients: list[list[Tensor]] = []
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(workers - 1):
            gradients = [torch.zeros_like(parameter) for parameter in model.parameters()]
            for gradient in gradients:
                gradient.share_memory_()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            ours, theirs = context.Pipe()
            arguments = (model.config, [p.data for p in model.parameters()], gradients, job, theirs)
            process = context.Process(target=_serve, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self._gradients.append(gradients)
            self._pipes.append(ours)
            self._processes.append(process)

    def compute(self, documents: Sequence[Document]) -> float:
        """Set every parameter's gradient of the mean loss per document, and return that loss.

        Raises EOFError where a worker has died.
        """
        workers = 1 + len(self._pipes)
        parts = micro_batches(documents, self._job.pad_id, workers)
        for number, pipe in enumerate(self._pipes, 1):
            pipe.send(([_lists(part) for part in parts[number::workers]], len(documents)))
        loss = _accumulate(self._model, parts[::workers], len(documents), self._job.early)
        for pipe, gradients in zip(self._pipes, self._gradients, strict=True):
            loss += float(pipe.recv())
            for parameter, gradient in zip(self._model.parameters(), gradients, strict=True):
                parameter.grad = gradient.clone() if parameter.grad is None else parameter.grad.add_(gradient)
        return loss

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()


def _serve(
    config: LlamaConfig, weights: Sequence[Tensor], gradients: Sequence[Tensor], job: Job, pipe: Connection
) -> None:
    """A worker's life: micro-batches in, gradients into shared memory and the loss out, until the pipe closes."""
    torch.set_num_threads(1)
    # A model of our own around the shared weights: Transformers' models do not survive being sent to a process.
    model = LlamaForCausalLM(config).train()
    for own, shared in zip(model.parameters(), weights, strict=True):
        own.data = shared
    while True:
        try:
            parts, documents = pipe.recv()
        except EOFError:
            return
        model.zero_grad()
        batches = [MicroBatch(torch.tensor(ids), torch.tensor(loss_weights)) for ids, loss_weights in parts]
        loss = _accumulate(model, batches, documents, job.early)
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            gradient.zero_() if parameter.grad is None else gradient.copy_(parameter.grad)
        pipe.send(loss)


def _accumulate(
    model: LlamaForCausalLM, batches: Sequence[MicroBatch], documents: int, early: EarlyTargets | None
) -> float:
    total = 0.0
    for batch in batches:
        loss = weighted_loss(model, batch, early) / documents
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        total += loss.item()
    return total


def _lists(batch: MicroBatch) -> tuple[list[list[int]], list[list[float]]]:
    """Plain lists, which cross a pipe without the descriptors that tensors need."""
    return batch.ids.tolist(), batch.weights.tolist()
