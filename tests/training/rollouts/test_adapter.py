"""What is no adapter of a model is refused, and the error says what is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, PreTrainedConfig

from training.rollouts.adapter import expected_shapes, read_adapter, require_fit, require_servable
from training.rollouts.base import AdapterError

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


@pytest.fixture(scope="module")
def model() -> PreTrainedConfig:
    config: PreTrainedConfig = AutoConfig.from_pretrained("models/selfjudge-tiny", local_files_only=True)
    return config


@pytest.fixture(scope="module")
def whole(make_adapter: Callable[[int], Path]) -> Path:
    return make_adapter(1)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return Path(shutil.copytree(whole, tmp_path / "adapter"))


def check(folder: Path, model: PreTrainedConfig) -> None:
    adapter = read_adapter(folder)
    require_servable(adapter, 8)
    require_fit(adapter, expected_shapes(model, adapter.config))


def reconfigure(folder: Path, values: dict[str, Any]) -> None:
    path = folder / CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_whole_one_passes(whole: Path, model: PreTrainedConfig) -> None:
    check(whole, model)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_files_must_be_there(folder: Path, model: PreTrainedConfig, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(AdapterError, match=f"has no {name}"):
        check(folder, model)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_half_a_file_is_refused(folder: Path, model: PreTrainedConfig, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(AdapterError, match="cannot be read"):
        check(folder, model)


def test_values_must_be_finite(folder: Path, model: PreTrainedConfig) -> None:
    weights = load_file(folder / WEIGHTS)
    name = next(iter(weights))
    weights[name][0, 0] = torch.nan
    save_file(weights, folder / WEIGHTS)
    with pytest.raises(AdapterError, match=f"{name} has values that are not finite"):
        check(folder, model)


def test_tensors_must_be_those_of_the_model(folder: Path, model: PreTrainedConfig) -> None:
    weights = load_file(folder / WEIGHTS)
    weights["base_model.model.model.layers.9.mlp.up_proj.lora_A.weight"] = weights.pop(next(iter(weights)))
    save_file(weights, folder / WEIGHTS)
    with pytest.raises(AdapterError, match=r"1 tensors are missing .* 1 are unknown to the model \(first .*layers.9"):
        check(folder, model)


def test_ranks_must_agree(folder: Path, model: PreTrainedConfig) -> None:
    reconfigure(folder, {"r": 4})
    with pytest.raises(AdapterError, match=r"has shape \[8, \d+\], but .* ask for \[4, \d+\]"):
        check(folder, model)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"r": 9}, "rank 9 : the engine was started for at most 8"),
        ({"use_dora": True}, "no DoRA"),
        ({"bias": "all"}, "must be 'none'"),
        ({"modules_to_save": ["lm_head"]}, "must be empty"),
    ],
)
def test_what_the_engine_lacks_is_refused(
    folder: Path, model: PreTrainedConfig, values: dict[str, Any], what: str
) -> None:
    reconfigure(folder, values)
    with pytest.raises(AdapterError, match=what):
        check(folder, model)
