"""Writes safetensors files, base models and adapters by hand: also such as no library would write."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

WEIGHTS: Final = "adapter_model.safetensors"
CONFIG: Final = "adapter_config.json"
HIDDEN, INNER, LAYERS, RANK = 8, 12, 2, 2

Arrays = dict[str, "np.ndarray[Any, Any]"]

_TYPES = {"float16": "F16", "float32": "F32", "float64": "F64", "int8": "I8", "uint16": "BF16"}
"""NumPy has no bfloat16; its bits stand in an uint16 here."""


def write_tensors(path: Path, arrays: Mapping[str, "np.ndarray[Any, Any]"]) -> None:
    header, data = {}, b""
    for name, array in arrays.items():
        start = len(data)
        data += array.tobytes()
        header[name] = {"dtype": _TYPES[str(array.dtype)], "shape": array.shape, "data_offsets": [start, len(data)]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def read_tensors(path: Path) -> Arrays:
    """Of float32 all, as `write_adapter` and PEFT write them."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(content[start:][slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"]).copy()
        for name, entry in header.items()
    }


def base_weights(seed: int = 0, hidden: int = HIDDEN, prefix: str = "model.") -> Arrays:
    numbers = np.random.default_rng(seed)
    shapes = {f"{prefix}embed_tokens.weight": (20, hidden), f"{prefix}norm.weight": (hidden,)}
    for layer in range(LAYERS):
        at = f"{prefix}layers.{layer}"
        shapes |= {
            f"{at}.self_attn.q_proj.weight": (hidden, hidden),
            f"{at}.self_attn.v_proj.weight": (hidden // 2, hidden),
            f"{at}.mlp.down_proj.weight": (hidden, INNER),
            f"{at}.input_layernorm.weight": (hidden,),
        }
    return {name: numbers.normal(size=shape).astype(np.float16) for name, shape in shapes.items()}


def write_base(folder: Path, seed: int = 0, hidden: int = HIDDEN) -> Path:
    folder.mkdir(parents=True)
    write_tensors(folder / "model.safetensors", base_weights(seed, hidden))
    return folder


def adapter_weights(seed: int = 0) -> Arrays:
    numbers = np.random.default_rng(seed)
    arrays: Arrays = {}
    for layer in range(LAYERS):
        for module, outputs, inputs in (
            ("self_attn.q_proj", HIDDEN, HIDDEN),
            ("self_attn.v_proj", HIDDEN // 2, HIDDEN),
            ("mlp.down_proj", HIDDEN, INNER),
        ):
            at = f"base_model.model.model.layers.{layer}.{module}"
            arrays[f"{at}.lora_A.weight"] = numbers.normal(size=(RANK, inputs)).astype(np.float32)
            arrays[f"{at}.lora_B.weight"] = numbers.normal(size=(outputs, RANK)).astype(np.float32)
    return arrays


def write_adapter(folder: Path, seed: int = 0, **config: object) -> Path:
    folder.mkdir(parents=True)
    write_tensors(folder / WEIGHTS, adapter_weights(seed))
    fields = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": 4,
        "target_modules": ["q_proj", "v_proj", "down_proj"],
        "bias": "none",
        "use_dora": False,
        "modules_to_save": None,
    }
    (folder / CONFIG).write_text(json.dumps(fields | config))
    return folder


def reconfigure(folder: Path, **values: object) -> None:
    path = folder / CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
