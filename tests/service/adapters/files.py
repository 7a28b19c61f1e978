"""Adapters for the shipped model, made on the spot: random weights, so that versions answer differently."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from selfjudge.adapters.base import read_base
from selfjudge.adapters.manifest import Manifest
from selfjudge.adapters.store import Store
from selfjudge.shipped import TINY_MODEL

RANK = 8
BASE = read_base(TINY_MODEL)
_TARGETS = ("q_proj", "down_proj")


def write_adapter(
    folder: Path,
    seed: int,
    *,
    scale: float = 0.05,
    alpha: float = 2 * RANK,
    rank: int = RANK,
    targets: tuple[str, ...] = _TARGETS,
) -> Path:
    """A PEFT folder; equal seeds give equal content."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    tensors = {}
    for name, (outputs, *rest) in BASE.shapes.items():
        if name.removesuffix(".weight").endswith(targets):
            module = f"base_model.model.{name.removesuffix('.weight')}"
            tensors[f"{module}.lora_A.weight"] = _normal(random, (rank, rest[0]), scale)
            tensors[f"{module}.lora_B.weight"] = _normal(random, (outputs, rank), scale)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": alpha, "target_modules": list(targets)}
    (folder / "adapter_config.json").write_text(json.dumps({**config, "bias": "none"}))
    return folder


def publish(
    store: Store, policy: str, seed: int, *, scale: float = 0.05, targets: tuple[str, ...] = _TARGETS
) -> Manifest:
    """A version of a policy."""
    folder = write_adapter(store.root.parent / f"{policy}-{seed}-{scale}", seed, scale=scale, targets=targets)
    return store.publish(policy, folder, base=BASE, template="ultrafeedback")


def _normal(random: np.random.Generator, shape: tuple[int, int], scale: float) -> "np.typing.NDArray[np.float32]":
    return random.normal(scale=scale, size=shape).astype(np.float32)
