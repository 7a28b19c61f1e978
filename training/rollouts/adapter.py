"""Whether a folder holds an adapter that a model can use, asked before a trainer or an engine takes it in.

vLLM takes weights that are not numbers, or of another rank than their configuration says, without a word.
Leaves out writing adapters: that is `PeftModel.save_pretrained`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict, load_peft_weights
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedConfig

from training.rollouts.base import AdapterError

Shapes = dict[str, torch.Size]
"""The shape of each tensor of an adapter, by its name in the file."""


class Adapter(NamedTuple):
    """What a folder of PEFT's holds."""

    path: Path
    config: LoraConfig
    weights: Mapping[str, Tensor]


def read_adapter(path: Path) -> Adapter:
    """The LoRA adapter in a folder, on the CPU. Raises AdapterError where there is none, or not a whole one."""
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (path / name).is_file():
            raise AdapterError(f"{path} holds no adapter: it has no {name}, which PEFT's save_pretrained writes")
    try:
        config, weights = PeftConfig.from_pretrained(str(path)), load_peft_weights(str(path), device="cpu")
    except Exception as error:
        # PEFT and safetensors raise what their parsers do, for a file that is damaged or half written.
        raise AdapterError(f"{path} holds an adapter that cannot be read: {error}") from error
    if not isinstance(config, LoraConfig):
        raise AdapterError(f"{path} holds a {config.peft_type} adapter; only LoRA can be used")
    return Adapter(path, config, weights)


def shapes_of(model: PeftModel) -> Shapes:
    """What the adapter of a model consists of."""
    return {name: tensor.shape for name, tensor in get_peft_model_state_dict(model).items()}


def expected_shapes(model: PreTrainedConfig, adapter: LoraConfig) -> Shapes:
    """What an adapter so configured has to consist of for a model so configured. No weights are made.

    Raises ValueError where the model has none of the modules that the adapter names.
    """
    with torch.device("meta"):
        return shapes_of(get_peft_model(AutoModelForCausalLM.from_config(model), adapter, low_cpu_mem_usage=True))


def require_fit(adapter: Adapter, expected: Shapes) -> None:
    """Raises AdapterError where names or shapes of tensors are not those expected, or a value is not finite."""
    path, _, weights = adapter
    missing, strange = sorted(expected.keys() - weights.keys()), sorted(weights.keys() - expected.keys())
    if missing or strange:
        raise AdapterError(
            f"{path} holds no adapter of this model: {len(missing)} tensors are missing{_first(missing)}, "
            f"{len(strange)} are unknown to the model{_first(strange)}"
        )
    for name, tensor in weights.items():
        if tensor.shape != expected[name]:
            raise AdapterError(
                f"{path}: {name} has shape {list(tensor.shape)}, but this model and adapter_config.json ask for "
                f"{list(expected[name])}"
            )
        if not bool(tensor.isfinite().all()):
            raise AdapterError(f"{path}: {name} has values that are not finite; has the training diverged?")


def require_servable(adapter: Adapter, max_rank: int) -> None:
    """Raises AdapterError for what vLLM can't run: a rank above `max_rank`, DoRA, biases, whole modules."""
    config, problems = adapter.config, []
    if max([config.r, *(config.rank_pattern or {}).values()]) > max_rank:
        problems.append(f"rank {config.r} {config.rank_pattern or ''}: the engine was started for at most {max_rank}")
    if config.use_dora:
        problems.append("use_dora: vLLM has no DoRA")
    if config.bias != "none" or config.lora_bias:
        problems.append("bias: must be 'none', and lora_bias false")
    if config.modules_to_save:
        problems.append(f"modules_to_save {config.modules_to_save}: must be empty")
    if problems:
        raise AdapterError(f"{adapter.path} holds an adapter that the engine can't run: {'; '.join(problems)}")


def _first(names: list[str]) -> str:
    return f" (first {names[0]})" if names else ""
