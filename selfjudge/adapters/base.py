"""The base model that adapters are for: which one it is, and what its weights look like.

Reads the headers of its safetensors files and a sample of its weights, so that a model of any size takes about a
second. Config and tokenizer don't count, because tools rewrite them without changing the model.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from selfjudge.adapters.tensors import Tensor, read_header
from selfjudge.errors import AdapterError

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of a model's weights by their names in its files."""

Weights = Mapping[str, tuple[Path, Tensor]]
"""Where a model's weights are, by their names in its files."""

_INDEX: Final = "model.safetensors.index.json"
_SINGLE: Final = "model.safetensors"
_SAMPLES: Final = 4
_SAMPLE_BYTES: Final = 4096


class Base(NamedTuple):
    """A base model, as far as adapters are concerned."""

    fingerprint: str
    """SHA-256 over names, types and shapes of its tensors and a few thousand bytes of each."""
    shapes: Shapes
    weights: Weights


def read_base(model: Path) -> Base:
    """The base model in a Hugging Face folder of safetensors files. Raises AdapterError where there is none.

    The fingerprint does not depend on how the weights are spread over files. It tells models apart whose weights differ
    throughout, as those of different training runs do; it does not protect from deception.
    """
    digest, weights = hashlib.sha256(), _tensors(model)
    for name, (path, tensor) in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        with path.open("rb") as file:
            digest.update(_sample(file, tensor))
    return Base(digest.hexdigest(), {name: tensor.shape for name, (_, tensor) in sorted(weights.items())}, weights)


def _tensors(model: Path) -> Weights:
    found: dict[str, tuple[Path, Tensor]] = {}
    for path in _files(model):
        found |= {name: (path, tensor) for name, tensor in read_header(path).items()}
    return found


def _files(model: Path) -> list[Path]:
    """The files that hold the weights, as Transformers would choose them."""
    index, single = model / _INDEX, model / _SINGLE
    if single.is_file():
        return [single]
    if not index.is_file():
        raise AdapterError(
            "base", f"{model} holds no base model: it has neither {_SINGLE} nor {_INDEX}; other formats are not read"
        )
    try:
        names: set[str] = set(json.loads(index.read_text())["weight_map"].values())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AdapterError("base", f"{index} is no index of safetensors files: {error}") from error
    return [model / name for name in sorted(names)]


def _sample(file: BinaryIO, tensor: Tensor) -> bytes:
    """Blocks at even distances, first and last bytes among them; all of a tensor that is no longer than they are."""
    length = tensor.end - tensor.start
    if length <= _SAMPLES * _SAMPLE_BYTES:
        file.seek(tensor.start)
        return file.read(length)
    blocks = []
    for number in range(_SAMPLES):
        file.seek(tensor.start + number * (length - _SAMPLE_BYTES) // (_SAMPLES - 1))
        blocks.append(file.read(_SAMPLE_BYTES))
    return b"".join(blocks)
