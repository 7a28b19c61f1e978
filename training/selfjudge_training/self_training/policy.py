"""The policy: JSFT's weights, frozen, under a LoRA adapter. Without it, the same module is the reference and the judge.

Also what it leaves behind: the adapter as PEFT writes it, and at the end a model folder with the adapter merged in.
"""

import gc
import shutil
from pathlib import Path
from typing import NamedTuple

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from selfjudge_training.jsft.model import DTYPES, adapter_config
from selfjudge_training.run.dropout import turn_dropout_off
from selfjudge_training.run.files import write_folder
from selfjudge_training.run.model_folder import save_model_folder
from selfjudge_training.self_training.config import Machine, SelfTrainingConfig
from selfjudge_training.self_training.log_ratios import add_head


def load_base(model: Path, machine: Machine) -> PreTrainedModel:
    """The frozen weights of a model folder, without dropout: that of the adapter is the only one."""
    base: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        model, dtype=DTYPES[machine.precision], local_files_only=True
    )
    turn_dropout_off(base)
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


class Memory(NamedTuple):
    """What the parameters in this process take."""

    parameters: int
    bytes: int


def parameters_in_memory() -> Memory:
    """Every parameter that is alive in this process, whoever holds it; memory that two share counts once.

    This finds copies that nobody meant to make, where a sum over the policy would only repeat the intention. Not found
    are matrices that an engine on a CPU has packed for its kernels: they are no parameters any more.
    """
    gc.unfreeze()  # an engine hides from the collector whatever is there when it starts
    alive = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.nn.Parameter)]
    storages = {each.untyped_storage().data_ptr(): each for each in alive}
    return Memory(
        sum(each.numel() for each in storages.values()),
        sum(each.untyped_storage().nbytes() for each in storages.values()),
    )
