"""The policy: JSFT's weights, frozen, under a LoRA adapter. Without it, the same module is the reference and the judge.

Also what it leaves behind: checkpoints, the adapter as PEFT writes it, and at the end a model folder with the adapter
merged in. A checkpoint holds adapter and AdamW's averages, bit for bit; nothing else is needed to go on, since prompts,
seeds and the learning rate are functions of the step.
"""

import gc
import re
import shutil
from copy import deepcopy
from pathlib import Path

import torch
from peft import PeftModel, load_peft_weights, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch.nn.modules.dropout import _DropoutNd
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from selfjudge_training.jsft.model import DTYPES, adapter_config
from selfjudge_training.run.files import write_folder
from selfjudge_training.run.model_folder import save_model_folder
from selfjudge_training.self_training.losses import add_head
from selfjudge_training.self_training.self_training_config import Machine, SelfTrainingConfig

_OPTIMIZER = "optimizer.safetensors"
_RANDOM = re.compile("drop|jitter")
"""In the names of what a model draws in training only: dropout of every kind, dropped layers, a router's noise."""


def load_base(model: Path, machine: Machine) -> PreTrainedModel:
    """The frozen weights of a model folder, without dropout: that of the adapter is the only one."""
    base: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        model,
        dtype=DTYPES[machine.precision],
        attn_implementation=machine.attn_implementation,
        local_files_only=True,
    )
    _turn_dropout_off(base)
    return base


def load_policy(config: SelfTrainingConfig, device: torch.device) -> PeftModel:
    """The policy with a fresh adapter, drawn from the seed.

    Raises ValueError where the model has none of the modules that the adapter is for.
    """
    base = load_base(config.model, config.machine)
    torch.nn.Module.to(base, device)
    if config.machine.gradient_checkpointing:
        base.gradient_checkpointing_enable({"use_reentrant": False})
    add_head(base)
    torch.manual_seed(config.seed)
    return PeftModel(base, adapter_config(config.lora, []))


def trained_parameters(policy: PeftModel) -> dict[str, torch.nn.Parameter]:
    """The adapter's parameters by name, in the order in which optimizer and gradients have them."""
    return {name: parameter for name, parameter in policy.named_parameters() if parameter.requires_grad}


def write_state(policy: PeftModel, optimizer: torch.optim.Optimizer, folder: Path) -> None:
    """Write a checkpoint into an empty folder."""
    policy.save_pretrained(str(folder), save_embedding_layers=False)
    tensors = {
        f"{name}:{key}": value
        for name, parameter in trained_parameters(policy).items()
        for key, value in optimizer.state[parameter].items()
    }
    save_file(tensors, folder / _OPTIMIZER)


def read_state(policy: PeftModel, optimizer: torch.optim.Optimizer, folder: Path) -> None:
    """Go on from a checkpoint."""
    set_peft_model_state_dict(policy, load_peft_weights(str(folder), device=str(policy.device)))
    parameters = trained_parameters(policy)
    for label, tensor in load_file(folder / _OPTIMIZER).items():
        name, _, key = label.rpartition(":")
        # AdamW counts its steps on the CPU, wherever the averages are.
        optimizer.state[parameters[name]][key] = tensor if key == "step" else tensor.to(policy.device)


def save_adapter(policy: PeftModel, folder: Path) -> None:
    """Write the adapter to ``folder``, in place of what an interrupted run left there."""
    shutil.rmtree(folder, ignore_errors=True)
    write_folder(folder, lambda partial: policy.save_pretrained(str(partial), save_embedding_layers=False))


def save_merged(policy: PeftModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Merge the adapter into the weights, for good, and write a model folder, which appears whole or not at all."""
    merged = policy.merge_and_unload()
    write_folder(folder, lambda partial: save_model_folder(merged, tokenizer, partial))


def load_tokenizer(model: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(model, local_files_only=True)
    return tokenizer


def parameters_in_memory() -> dict[str, float]:
    """Figures of every parameter that is alive in this process, whoever holds it; memory that two share counts once.

    This finds copies that nobody meant to make, where a sum over the policy would only repeat the intention. Not found
    are matrices that an engine on a CPU has packed for its kernels: they are no parameters any more.
    """
    gc.unfreeze()  # an engine hides from the collector whatever is there when it starts
    alive = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.nn.Parameter)]
    storages = {each.untyped_storage().data_ptr(): each for each in alive}
    return {
        "memory/parameters": sum(each.numel() for each in storages.values()),
        "memory/bytes": sum(each.untyped_storage().nbytes() for each in storages.values()),
    }


def _turn_dropout_off(model: PreTrainedModel) -> None:
    """A model's own: policy and reference share its weights and would differ by it alone; an adapter's comes later.

    Llama's kind has none; GPT-2, OPT, Falcon and others do. The configuration, which is saved, stays as it is.
    """
    silent = deepcopy(model.config)
    _silence(silent)
    for module in model.modules():
        _silence(module)
        if isinstance(module, _DropoutNd):
            module.p = 0.0
        # Falcon's and GPT-J's layers read the configuration at each step: theirs is a copy, the model keeps its own.
        elif not isinstance(module, PreTrainedModel) and getattr(module, "config", None) is model.config:
            vars(module)["config"] = silent


def _silence(owner: object) -> None:
    for name, value in list(vars(owner).items()):
        if isinstance(value, float) and _RANDOM.search(name):
            setattr(owner, name, 0.0)
