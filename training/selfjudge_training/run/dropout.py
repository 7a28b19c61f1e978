"""A model's own dropout turned off, where policy and reference share its weights: they would differ by it alone.

Llama's kind has none; GPT-2, OPT, Falcon and others do. Leaves on what is added afterwards, such as an adapter's.
"""

import re
from copy import deepcopy

from torch.nn.modules.dropout import _DropoutNd
from transformers import PreTrainedModel

_RANDOM = re.compile("drop|jitter")
"""In the names of what a model draws in training only: dropout of every kind, dropped layers, a router's noise."""


def turn_dropout_off(model: PreTrainedModel) -> None:
    """Set all of it to 0; the model's configuration, which is saved with it, stays as it is."""
    silent = deepcopy(model.config)
    _silence(silent)
    for module in model.modules():
        _silence(module)
        if isinstance(module, _DropoutNd):
            module.p = 0.0
        # Falcon's and GPT-J's layers read the configuration at each step: theirs is a copy, the model keeps its own.
        elif not isinstance(module, PreTrainedModel) and getattr(module, "config", None) is model.config:
            vars(module)["config"] = silent


def _silence(owner: object) -> None:
    for name, value in list(vars(owner).items()):
        if isinstance(value, float) and _RANDOM.search(name):
            setattr(owner, name, 0.0)
