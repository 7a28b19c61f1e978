"""What a safetensors file says of its tensors, and where their bytes are: NumPy alone can't hold bfloat16."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from selfjudge.errors import AdapterError

DTYPES: Final = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""Types of weights, and what NumPy reads them as."""

_AT_ONCE: Final = 1 << 20
"""Values read at a time."""

Values = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


class Tensor(NamedTuple):
    """One tensor of a file."""

    dtype: str
    """As safetensors writes it: F32, BF16, ..."""
    shape: tuple[int, ...]
    start: int
    """Of its first byte in the file."""
    end: int
    """Behind its last."""


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name. Raises AdapterError for what is no whole safetensors file; loads no weights."""
    try:
        with safe_open(path, framework="np"):
            pass  # the library checks header, offsets and length
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
    except (OSError, SafetensorError) as error:
        raise AdapterError("files", f"{path} is no whole safetensors file: {error}") from error
    header.pop("__metadata__", None)
    start = 8 + length
    return {
        name: Tensor(
            entry["dtype"],
            tuple(entry["shape"]),
            start + entry["data_offsets"][0],
            start + entry["data_offsets"][1],
        )
        for name, entry in header.items()
    }


def read_values(path: Path, tensor: Tensor) -> Iterator[Values]:
    """The values of a tensor in order, a part at a time. Raises AdapterError `dtype`: not one of `DTYPES`."""
    if tensor.dtype not in DTYPES:
        accepted = ", ".join(sorted(DTYPES))
        raise AdapterError("dtype", f"{path}: a tensor is of type {tensor.dtype}; accepted are {accepted}")
    kind = np.dtype(DTYPES[tensor.dtype])
    for start in range(tensor.start, tensor.end, _AT_ONCE * kind.itemsize):
        count = min(_AT_ONCE, (tensor.end - start) // kind.itemsize)
        yield as_float32(np.fromfile(path, kind, count, offset=start), tensor.dtype)


def as_float32(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], dtype: str) -> Values:
    """Values that were read as `DTYPES` has it; those of bfloat16 are the upper halves of float32."""
    if dtype == "BF16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)
