"""The model that JSFT starts from, made ready for dialogues, and the model folder that comes out.

A model without a chat template gets the paper's (table 10) and its control tokens; one that has a template keeps it.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

import torch
from peft import LoraConfig, PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from selfjudge.adapters.check import WEIGHTS
from selfjudge.adapters.config import CONFIG
from selfjudge_training.data.examples.shown import give_template
from selfjudge_training.jsft.jsft_config import Lora, Start
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.model_folder import save_model_folder
from selfjudge_training.run.named_model import require_model

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Ready(NamedTuple):
    """A model and its tokenizer, both knowing the chat template's control tokens."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    added: list[int]
    """Ids of control tokens that the model did not know, their embeddings being new."""


def load_start(start: Start, seed: int, attn_implementation: str | None = None) -> Ready:
    """Load weights as float32, with a chat template, a padding token, and an embedding for each token of the tokenizer.

    Equal seeds give equal new embeddings. Raises ConfigError where there is no such model, or it has another
    architecture than was said.
    """
    require_model(start.path, "start.path")
    config = AutoConfig.from_pretrained(start.path)
    if config.model_type != start.architecture:
        raise ConfigError(f"start.architecture is {start.architecture!r}, but {start.path} is {config.model_type!r}")
    try:
        tokenizer = AutoTokenizer.from_pretrained(start.path)
        model = AutoModelForCausalLM.from_pretrained(
            start.path, dtype=torch.float32, attn_implementation=attn_implementation
        )
    except OSError as error:
        raise ConfigError(f"start.path {start.path!r}: the model cannot be loaded: {error}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    added = give_template(tokenizer)
    if len(tokenizer) > model.config.get_text_config().vocab_size:
        torch.manual_seed(seed)
        model.resize_token_embeddings(len(tokenizer))
    return Ready(model, tokenizer, added)


def adapter_config(lora: Lora, added: list[int]) -> LoraConfig:
    """PEFT's configuration; embeddings that are new are trained in full, since an adapter can't give them a meaning."""
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
        trainable_token_indices=added or None,
    )


def write_adapter(trained: Path, dtype: str, output: Path) -> None:
    """Write an adapter's folder, as PEFT has it, of what a trainer saved."""
    shutil.copyfile(trained / CONFIG, output / CONFIG)
    tensors = load_file(trained / WEIGHTS)
    save_adapter_weights({name: tensor.to(DTYPES[dtype]) for name, tensor in tensors.items()}, output)


def save_adapter_weights(tensors: dict[str, Tensor], folder: Path) -> None:
    """Write them as PEFT does, but for every user to read."""
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)  # safetensors keeps its files from other users


def write_model(trained: Path, ready: Ready, lora: Lora | None, dtype: str, output: Path) -> None:
    """Write a model folder of what a trainer saved: `ready` with the adapter in `trained` merged into it, or `trained`.

    `ready` is used up.
    """
    if lora is None:
        model = AutoModelForCausalLM.from_pretrained(trained, dtype=DTYPES[dtype])
    else:
        model = PeftModel.from_pretrained(ready.model, trained).merge_and_unload().to(DTYPES[dtype])
    save_model_folder(model, ready.tokenizer, output)
