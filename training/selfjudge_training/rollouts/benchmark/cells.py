"""The cells of the benchmark: what is sampled from what.

Models of random weights stand for those that can't be had here. Their answers end at random, with the same probability
at each token, so that a batch has long answers among short ones as real ones do; what they say is noise.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from selfjudge.shipped import SHIPPED_MODEL
from selfjudge_training.run.config import load_config, recipe_path
from selfjudge_training.self_training.config import SelfTrainingConfig
from selfjudge_training.tiny.model import save_model

SHIPPED = SHIPPED_MODEL
CONTEXT = 1024


class RandomModel(NamedTuple):
    """A Llama whose answers have ``mean_tokens`` tokens on average."""

    width: int
    layers: int
    mean_tokens: int


class Cell(NamedTuple):
    """One line of the report."""

    name: str
    model: RandomModel | None
    """None: the model that ships."""
    max_new_tokens: int


CELLS: Mapping[str, Cell] = {
    "shipped": Cell("the model that ships, its short answers", None, 24),
    "long": Cell("random weights of the same size, long answers", RandomModel(128, 6, 48), 256),
    "larger": Cell("random weights, 4 times as many, long answers", RandomModel(256, 6, 48), 256),
}


def config_of(cell: Cell, folder: Path) -> SelfTrainingConfig:
    """The configuration of self-training for a cell, whose model is made in ``folder`` if need be."""
    overrides = [f"decoding.max_new_tokens={cell.max_new_tokens}", "optimisation.epochs=100"]
    if cell.model is not None:
        make_model(cell.model, folder)
        # Learning is not the point, and a model that learns would change the lengths of its answers. Few pairs at a
        # time are learned from, so that short ones are not padded to the longest.
        overrides += [f"model={folder}", f"max_tokens={CONTEXT}", "optimisation.learning_rate=1.0e-9"]
        overrides += ["machine.micro_batch=8"]
    return load_config(SelfTrainingConfig, recipe_path("self-train-tiny"), overrides)


def make_model(model: RandomModel, folder: Path) -> None:
    """Write a model folder, with the tokenizer of the model that ships."""
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED, local_files_only=True)
    torch.manual_seed(0)
    made = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=model.width,
            num_hidden_layers=model.layers,
            num_attention_heads=model.width // 32,
            intermediate_size=11 * model.width // 4,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=False,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    _end_at_random(made, int(tokenizer.eos_token_id), 1 / model.mean_tokens)
    save_model(made, tokenizer, folder)


def _end_at_random(model: LlamaForCausalLM, end: int, probability: float) -> None:
    """Give the end the same probability after any token: one channel is the same everywhere, and speaks for it."""
    ids = torch.arange(len(model.lm_head.weight))[:, None]
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 1.0
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight[0] = 0.0
            layer.mlp.down_proj.weight[0] = 0.0
        model.lm_head.weight[:, 0] = 0.0
        model.lm_head.weight[end] = 0.0
        channel = model.model(input_ids=ids).last_hidden_state[:, 0, 0].mean()
        others = len(ids) - 1
        model.lm_head.weight[end, 0] = math.log(probability * others / (1 - probability)) / channel
