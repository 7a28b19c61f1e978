"""The adapter that ships: those of all rounds in one, since each round trained over what the one before it had made.

A sum of low-rank products is the product of what stands side by side, so that nothing is lost but float32's digits.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from selfjudge_training.jsft.model import save_adapter_weights
from torch import Tensor

from selfjudge.adapters.check import WEIGHTS
from selfjudge.adapters.config import CONFIG


def join_adapters(adapters: Sequence[Path], output: Path) -> None:
    """Write the sum of LoRA adapters over the same modules, which scale alike, as one of the sum of their ranks."""
    configs = [json.loads((adapter / CONFIG).read_text(encoding="utf-8")) for adapter in adapters]
    scales = {config["lora_alpha"] / config["r"] for config in configs}
    modules = {tuple(sorted(config["target_modules"])) for config in configs}
    if len(scales) > 1 or len(modules) > 1:
        raise ValueError(f"adapters must share modules and scale, not have {sorted(scales)} and {sorted(modules)}")
    tensors = [load_file(adapter / WEIGHTS) for adapter in adapters]
    joined = {name: _side_by_side([each[name] for each in tensors], name) for name in tensors[0]}
    whole = configs[0] | {key: sum(config[key] for config in configs) for key in ("r", "lora_alpha")}
    whole["base_model_name_or_path"] = None
    output.mkdir(parents=True, exist_ok=True)
    (output / CONFIG).write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    save_adapter_weights(joined, output)


def _side_by_side(parts: Sequence[Tensor], name: str) -> Tensor:
    return torch.cat(list(parts), dim=0 if ".lora_A." in name else 1).to(torch.bfloat16).contiguous()
