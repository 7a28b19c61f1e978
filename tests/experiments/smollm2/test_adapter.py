"""Adapters of several rounds in one."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from experiments.smollm2.adapter import join_adapters
from selfjudge.adapters.check import WEIGHTS
from selfjudge.adapters.config import CONFIG

MODULE = "base_model.model.model.layers.0.mlp.up_proj"


def write_adapter(folder: Path, rank: int, alpha: int) -> torch.Tensor:
    """A random adapter of one module; returns what it adds."""
    a, b = torch.randn(rank, 6), torch.randn(4, rank)
    folder.mkdir()
    save_file({f"{MODULE}.lora_A.weight": a, f"{MODULE}.lora_B.weight": b}, folder / WEIGHTS)
    config = {"r": rank, "lora_alpha": alpha, "target_modules": ["up_proj"], "base_model_name_or_path": "/somewhere"}
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    return alpha / rank * (b @ a)


def test_the_sum_is_added(tmp_path: Path) -> None:
    torch.manual_seed(0)
    added = write_adapter(tmp_path / "one", 2, 4) + write_adapter(tmp_path / "two", 3, 6)
    join_adapters([tmp_path / "one", tmp_path / "two"], tmp_path / "whole")
    config = json.loads((tmp_path / "whole" / CONFIG).read_text(encoding="utf-8"))
    assert (config["r"], config["lora_alpha"], config["base_model_name_or_path"]) == (5, 10, None)
    tensors = {name: tensor.float() for name, tensor in load_file(tmp_path / "whole" / WEIGHTS).items()}
    found = 2 * tensors[f"{MODULE}.lora_B.weight"] @ tensors[f"{MODULE}.lora_A.weight"]
    torch.testing.assert_close(found, added, atol=0.1, rtol=0.02)


def test_adapters_that_scale_differently_are_refused(tmp_path: Path) -> None:
    write_adapter(tmp_path / "one", 2, 4)
    write_adapter(tmp_path / "two", 2, 2)
    with pytest.raises(ValueError, match="scale"):
        join_adapters([tmp_path / "one", tmp_path / "two"], tmp_path / "whole")
