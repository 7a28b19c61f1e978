"""The policy: JSFT's weights, frozen, under a LoRA adapter. Without it, the same module is the reference and the judge.

A checkpoint holds adapter and AdamW's averages, bit for bit; nothing else is needed to go on, since prompts, seeds and
the learning rate are functions of the step.
"""

import gc
import re
from copy import deepcopy
from pathlib import Path

import torch
from peft import PeftModel, load_peft_weights, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from trl.trainer.utils import add_fused_lm_head
from typing_extensions import override

from selfjudge_training.jsft.model import DTYPES, adapter_config
from selfjudge_training.self_training.self_training_config import Machine, SelfTrainingConfig

_OPTIMIZER = "optimizer.safetensors"
_RANDOM = re.compile("drop|jitter")
"""In the names of what a model draws in training only: dropout of every kind, dropped layers, a router's noise."""


class Policy(PeftModel):
    """Saved without the model card, which takes PEFT as long as all the rest and says nothing of ours."""

    @override
    def create_or_update_model_card(self, output_dir: str) -> None:
        pass


def load_tokenizer(model: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(model, local_files_only=True)
    return tokenizer


def load_base(model: Path, machine: Machine) -> PreTrainedModel:
    """The frozen weights of a model folder, without the dropout that some architectures have.

    Policy and reference share them and would differ by it alone; the adapter has its own.
    """
    silent = AutoConfig.from_pretrained(model, local_files_only=True)
    drawn = {key: value for key, value in vars(silent).items() if isinstance(value, float) and _RANDOM.search(key)}
    vars(silent).update(dict.fromkeys(drawn, 0.0))
    base: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        model,
        config=silent,
        dtype=DTYPES[machine.precision],
        attn_implementation=machine.attn_implementation,
        local_files_only=True,
    )
    # What is saved is the model as it came; its modules, some of which read it at each step, keep the other.
    base.config = deepcopy(base.config)
    vars(base.config).update(drawn)
    return base


def load_policy(config: SelfTrainingConfig, device: torch.device) -> Policy:
    """The policy with a fresh adapter, drawn from the seed.

    Raises ValueError where the model has none of the modules that the adapter is for.
    """
    base = load_base(config.model, config.machine)
    torch.nn.Module.to(base, device)
    if config.machine.gradient_checkpointing:
        base.gradient_checkpointing_enable({"use_reentrant": False})
    # Logits in tiles: all at once they are 10 GB for 8 sequences of 2,048 tokens and a vocabulary of 152,000.
    add_fused_lm_head(base)
    torch.manual_seed(config.seed)
    return Policy(base, adapter_config(config.lora, []))


def trained_parameters(policy: PeftModel) -> dict[str, torch.nn.Parameter]:
    """The adapter's parameters by name, in the order in which optimizer and gradients have them."""
    return {name: parameter for name, parameter in policy.named_parameters() if parameter.requires_grad}


def write_adapter(policy: PeftModel, folder: Path) -> None:
    """As PEFT has it; embeddings are never trained."""
    policy.save_pretrained(str(folder), save_embedding_layers=False)


def write_state(policy: PeftModel, optimizer: torch.optim.Optimizer, folder: Path) -> None:
    """Write a checkpoint into an empty folder."""
    write_adapter(policy, folder)
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
