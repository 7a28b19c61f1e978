"""What a safetensors file says of its tensors, and where their bytes are: NumPy alone can't hold bfloat16."""

import json
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open

from selfjudge.errors import AdapterError


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
