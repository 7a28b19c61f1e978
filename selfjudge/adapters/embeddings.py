"""The base model's embeddings that PEFT puts beside an adapter of them, as `embed_tokens.base_layer.weight`.

vLLM ignores them and multiplies by its own, so they must be the same. PEFT leaves them out where an adapter is saved
with `save_embedding_layers=False`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from selfjudge.adapters.base import Shapes, Weights
from selfjudge.adapters.modules import find_weight
from selfjudge.adapters.tensors import Tensor, read_values
from selfjudge.errors import AdapterError

_COPY: Final = re.compile(r"base_model\.model\.(?P<module>(?:.+\.)?(?:embed_tokens|lm_head))\.base_layer\.weight")


def without_copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that are the adapter's own."""
    return {key: tensor for key, tensor in tensors.items() if not _COPY.fullmatch(key)}


def require_copies(path: Path, tensors: Mapping[str, Tensor], shapes: Shapes, weights: Weights | None) -> None:
    """Raises AdapterError where a copy among the tensors is not what the base model has.

    `keys` where it has no such weight, or nothing is known of its files; `base` where the values differ; `dtype`.
    """
    for key, tensor in tensors.items():
        if (match := _COPY.fullmatch(key)) is None:
            continue
        name = find_weight(match["module"], shapes)
        if name is None or weights is None:
            raise AdapterError(
                "keys",
                f"{path}: {key} can't be held against "
                f"{'the files of the base model, which are not at hand' if name else 'a weight of the base model'}; "
                "save the adapter with save_embedding_layers=False",
            )
        if not _equal((path, tensor), weights[name]):
            raise AdapterError(
                "base",
                f"{path}: {key} differs from {name} of the base model, and what differs can't be served: train the "
                "adapter only, on this model, and save it with save_embedding_layers=False",
            )


def _equal(one: tuple[Path, Tensor], other: tuple[Path, Tensor]) -> bool:
    if one[1].shape != other[1].shape:
        return False
    parts = zip(read_values(*one), read_values(*other), strict=True)
    return all(np.array_equal(ours, theirs) for ours, theirs in parts)
