"""Muon for the matrices of the layers and AdamW for all else, as one optimizer: what Trainer and Accelerate take."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from torch.optim import AdamW, Muon, Optimizer
from transformers import PreTrainedModel
from typing_extensions import override

DECAY = 0.05
"""Of the matrices, decoupled: a share of the learning rate."""


class MuonAndAdamW(Optimizer):
    """Both in turn.

    Args:
        model: whose matrices, but for embeddings and head, are Muon's.
        matrix_rate: learning rate of Muon.
        adamw: options of AdamW, its learning rate among them.
    """

    def __init__(self, model: PreTrainedModel, matrix_rate: float, adamw: dict[str, Any]) -> None:
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        ends = [end for end in (model.get_input_embeddings(), model.get_output_embeddings()) if end is not None]
        outside = {id(parameter) for end in ends for parameter in end.parameters()}
        matrices = [parameter for parameter in trained if parameter.ndim == 2 and id(parameter) not in outside]
        chosen = {id(parameter) for parameter in matrices}
        self._parts: tuple[Optimizer, ...] = (
            Muon(matrices, lr=matrix_rate, weight_decay=DECAY, adjust_lr_fn="original"),
            AdamW([parameter for parameter in trained if id(parameter) not in chosen], **adamw),
        )
        super().__init__([group for part in self._parts for group in part.param_groups], {})
        self._share()

    def _share(self) -> None:
        """Have the parts work on the groups and the state that are saved, and whose rates a scheduler changes."""
        self.state = defaultdict(dict, self.state)
        for part, group in zip(self._parts, self.param_groups, strict=True):
            part.param_groups, part.state = [group], self.state

    @override
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for part in self._parts:
            part.step()

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._share()
