"""Batches without waste: documents sorted by length and cut into micro-batches of about equal token counts.

A micro-batch is what one worker computes at a time. Padding is on the right, where causal attention keeps it from
every real token, so no attention mask is needed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.letters.model.documents import Document

MAX_TOKENS = 512
"""Of one micro-batch, unless a single document has more; its activations should stay in the processor's cache."""


class MicroBatch(NamedTuple):
    """Documents as tensors, both of shape [documents, tokens of the longest]."""

    ids: Tensor
    weights: Tensor
    """0 on padding."""


def micro_batches(documents: Sequence[Document], pad_id: int, workers: int) -> list[MicroBatch]:
    """Cut documents, in order of length, into as few micro-batches as serve ``workers`` equally."""
    ordered = sorted(documents, key=lambda document: len(document.ids))
    tokens = sum(len(document.ids) for document in ordered)
    wanted = workers * -(-tokens // (workers * MAX_TOKENS))
    groups: list[list[Document]] = [[]]
    filled = 0
    for document in ordered:
        if groups[-1] and filled >= tokens * len(groups) / wanted:
            groups.append([])
        groups[-1].append(document)
        filled += len(document.ids)
    return [_stack(group, pad_id) for group in groups]


def _stack(documents: Sequence[Document], pad_id: int) -> MicroBatch:
    width = max(len(document.ids) for document in documents)
    ids = [document.ids + [pad_id] * (width - len(document.ids)) for document in documents]
    weights = [document.weights + [0.0] * (width - len(document.weights)) for document in documents]
    return MicroBatch(torch.tensor(ids), torch.tensor(weights))
