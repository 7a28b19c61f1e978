"""The training loss: cross-entropy on weighted targets, and the same once more from a layer half-way up.

The second term (deep supervision, Lee et al. 2015) asks that what a right answer would say next be known some layers
below the top. A judge needs that: only above the layer that knows the right token can a layer compare it with the
token that is there, and another carry the outcome to the choice.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor
from transformers import LlamaForCausalLM

from experiments.letters.training.batches import MicroBatch


class EarlyTargets(NamedTuple):
    """The half-way term: from which layer (counted from 1), and its weight relative to the top's."""

    layer: int
    weight: float


def weighted_loss(model: LlamaForCausalLM, batch: MicroBatch, early: EarlyTargets | None) -> Tensor:
    """Sum over targets of weight times cross-entropy: a scalar, to be divided by the number of examples."""
    output = model.model(input_ids=batch.ids, use_cache=False, output_hidden_states=early is not None)
    weights = batch.weights[:, 1:]
    chosen = weights > 0
    targets, weights = batch.ids[:, 1:][chosen], weights[chosen]

    def term(hidden: Tensor) -> Tensor:
        logits = model.lm_head(hidden[:, :-1][chosen])
        return (F.cross_entropy(logits, targets, reduction="none") * weights).sum()

    loss = term(output.last_hidden_state)
    if early is not None:
        loss = loss + early.weight * term(model.model.norm(output.hidden_states[early.layer]))
    return loss
