"""From JSFT examples to batches: which examples make up each step, their tensors, and the weight of every target.

Leaves out where examples are kept (`examples`), packing (an example would see its neighbours) and the loss itself.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, TypedDict

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Sampler
from typing_extensions import override

from selfjudge_training.run.config import ConfigError

IGNORED = -100
"""Label of tokens that are no targets."""

Weighting = Literal["tokens", "examples"]


class Row(TypedDict):
    """What a batch needs of an example."""

    input_ids: list[int]
    loss_mask: list[bool]
    judgment: bool
    replay: list[int]
    """First token of the chosen response within a judgment and one past its last; empty where it is no target."""
    cut: bool
    """Whether its end is left out; for the account of a set."""


class Schedule(NamedTuple):
    """How a run divides its examples."""

    batch: int
    """Examples of an optimizer step."""
    steps: int
    """Of the whole run."""

    @classmethod
    def of(cls, examples: int, batch: int, epochs: int, limit: int | None) -> "Schedule":
        """Raises ConfigError where the examples do not fill one batch."""
        if examples < batch:
            raise ConfigError(
                f"{examples} examples do not fill a batch of {batch}; give more data, or lower optimisation.batch"
            )
        steps = epochs * (examples // batch)
        return cls(batch, steps if limit is None else min(steps, limit))


class StepSampler(Sampler[int]):
    """Indices of the whole run's examples, step after step, each epoch in an order of its own.

    Examples of a unit, such as a pair's two orders, come one behind the other and so share a step, but for the one that
    falls on the end of a step. The examples of a step are sorted by length, longest first, so that micro-batches are
    padded little and memory runs out at once if ever; which examples a step has does not depend on how many processes
    share it. All epochs are one sequence, since to resume is then to skip.
    """

    def __init__(self, units: Sequence[Sequence[int]], lengths: Sequence[int], schedule: Schedule, seed: int) -> None:
        self._units, self._lengths, self._schedule, self._seed = units, lengths, schedule, seed

    def __len__(self) -> int:
        return self._schedule.batch * self._schedule.steps

    @override
    def __iter__(self) -> Iterator[int]:
        batch, per_epoch = self._schedule.batch, len(self._lengths) // self._schedule.batch
        order: list[int] = []
        for step in range(self._schedule.steps):
            epoch, place = divmod(step, per_epoch)
            if place == 0:
                shuffled = random.Random(f"{self._seed}:{epoch}").sample(self._units, len(self._units))
                order = [index for unit in shuffled for index in unit]
            chosen = order[place * batch : (place + 1) * batch]
            yield from sorted(chosen, key=lambda index: -self._lengths[index])


class Collator:
    """Makes the tensors of a micro-batch, all of shape [examples, tokens of the longest], padded on the right."""

    def __init__(self, pad_id: int, weighting: Weighting, replay: float = 0.0) -> None:
        self._pad_id, self._weighting, self._replay = pad_id, weighting, replay

    def __call__(self, rows: Sequence[Row]) -> dict[str, Tensor]:
        """Ids, attention mask and labels as models take them; `weights` of labels, and where `choices` (A, B) are."""
        ids = [torch.tensor(row["input_ids"]) for row in rows]
        masks = [torch.tensor(row["loss_mask"]) for row in rows]
        choices = [_choice(mask) & row["judgment"] for row, mask in zip(rows, masks, strict=True)]
        weights = [self._weights(*example) for example in zip(rows, masks, choices, strict=True)]
        labels = [torch.where(weight > 0, example, IGNORED) for example, weight in zip(ids, weights, strict=True)]
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self._pad_id),
            "attention_mask": pad_sequence([torch.ones_like(example) for example in ids], batch_first=True),
            "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
            "weights": pad_sequence(weights, batch_first=True),
            "choices": pad_sequence(choices, batch_first=True),
        }

    def _weights(self, row: Row, mask: Tensor, choice: Tensor) -> Tensor:
        weights = mask.float()
        if self._weighting == "examples":
            rest = mask & ~choice
            weights = choice.float() + rest / max(1, int(rest.sum()))
        if row["replay"]:
            start, end = row["replay"]
            weights[start:end] += self._replay / (end - start if self._weighting == "examples" else 1)
        return weights


def _choice(mask: Tensor) -> Tensor:
    """True at the first target."""
    return mask & (mask.cumsum(0) == 1)
