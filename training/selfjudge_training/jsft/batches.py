"""From JSFT examples to batches: which examples make up each step, their tensors, and the weight of every target.

Leaves out where examples are kept (`examples`), packing (an example would see its neighbours) and the loss itself.
"""

import random
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypedDict

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from selfjudge_training.data.examples.jsft_example import JUDGED, Form

IGNORED = -100
"""Label of tokens that are no targets."""

Weighting = Literal["tokens", "examples"]


class Row(TypedDict):
    """What a batch needs of an example."""

    input_ids: list[int]
    loss_mask: list[bool]
    form: Form
    replay: list[int]
    """First token of a response within a judgment and one past its last; empty where it is no target."""
    cut: bool
    """Whether its end is left out; for the account of a set."""


class Sharing(NamedTuple):
    """How a step is dealt out: a micro-batch to each process in turn, longest examples first.

    Every second round goes the other way about, so that no process has the longer micro-batch of every round, and the
    others need not wait for it.
    """

    micro_batch: int
    """Examples that a process computes at once."""
    processes: int

    def dealt(self, step: Sequence[int]) -> list[int]:
        """A step's examples, which come from long to short, in the order in which processes take them."""
        parts = [step[start : start + self.micro_batch] for start in range(0, len(step), self.micro_batch)]
        rounds = [parts[start : start + self.processes] for start in range(0, len(parts), self.processes)]
        turned = (parts[::-1] if number % 2 else parts for number, parts in enumerate(rounds))
        return [index for parts in turned for part in parts for index in part]

    def number(self, place: int, process: int) -> int:
        """Of the micro-batch that a process computes in a round, counted from the longest of the step."""
        return place * self.processes + (self.processes - 1 - process if place % 2 else process)


def in_steps(
    units: Sequence[Sequence[int]], lengths: Sequence[int], *, batch: int, steps: int, seed: int, sharing: Sharing
) -> list[int]:
    """Indices of the whole run's examples, step after step, each epoch in an order of its own.

    Examples of a unit, such as a pair's two orders, come one behind the other and so share a step, but for the one that
    falls on the end of a step. The examples of a step are sorted by length, longest first, so that micro-batches are
    padded little and memory runs out at once if ever; which examples a step has does not depend on how many processes
    share it. All epochs are one sequence, since to resume is then to skip.
    """
    indices: list[int] = []
    order: list[int] = []
    for step in range(steps):
        epoch, place = divmod(step, len(lengths) // batch)
        if place == 0:
            shuffled = random.Random(f"{seed}:{epoch}").sample(units, len(units))
            order = [index for unit in shuffled for index in unit]
        longest_first = sorted(order[place * batch : (place + 1) * batch], key=lambda index: -lengths[index])
        indices += sharing.dealt(longest_first)
    return indices


def collate(
    rows: Sequence[Row],
    *,
    pad_id: int,
    weighting: Weighting = "tokens",
    replay: float = 0.0,
    demonstration: float = 1.0,
) -> dict[str, Tensor]:
    """The tensors of a micro-batch, all of shape [examples, tokens of the longest], padded on the right.

    Ids and labels are as models take them; no attention mask is needed, as no target sees what stands to its right,
    and attention is faster without. `weights` are the labels', `choices` say where the judge's
    choice is: its form's number in `JUDGED`, from 1. `replay` and `demonstration` weigh responses that are targets
    within judgments, of pairs and of scores.
    """
    ids = [torch.tensor(row["input_ids"]) for row in rows]
    masks = [torch.tensor(row["loss_mask"]) for row in rows]
    choices = [_choice(row, mask) for row, mask in zip(rows, masks, strict=True)]
    weights = [
        _weights(row, mask, choice > 0, weighting, demonstration if row["form"] == "score" else replay)
        for row, mask, choice in zip(rows, masks, choices, strict=True)
    ]
    labels = [torch.where(weight > 0, example, IGNORED) for example, weight in zip(ids, weights, strict=True)]
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=pad_id),
        "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
        "weights": pad_sequence(weights, batch_first=True),
        "choices": pad_sequence(choices, batch_first=True),
    }


def _choice(row: Row, mask: Tensor) -> Tensor:
    number = JUDGED.index(row["form"]) + 1 if row["form"] in JUDGED else 0
    return (mask & (mask.cumsum(0) == 1)) * number


def _weights(row: Row, mask: Tensor, choice: Tensor, weighting: Weighting, replay: float) -> Tensor:
    weights = mask.float()
    if weighting == "examples":
        rest = mask & ~choice
        weights = choice.float() + rest / max(1, int(rest.sum()))
    if row["replay"]:
        start, end = row["replay"]
        weights[start:end] += replay / (end - start if weighting == "examples" else 1)
    return weights
