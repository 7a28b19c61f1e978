"""The shipped model's architecture: a small Llama, so that Transformers and vLLM load it with nothing of ours.

Saves and loads whole model directories. Weights are trained in float32 and may be stored in float16.
"""

from pathlib import Path

import torch
from transformers import AutoTokenizer, GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from experiments.letters.letters_recipe import Shape


def new_model(shape: Shape, tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """A model with tied embeddings, its weights drawn from PyTorch's global generator."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=shape.inner_width,
            max_position_embeddings=shape.context,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def save_model(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, directory: Path, dtype: torch.dtype = torch.float32
) -> None:
    """Write a model directory that AutoModelForCausalLM, AutoTokenizer and vLLM load."""
    stored = LlamaForCausalLM(model.config)
    stored.load_state_dict(model.state_dict())
    # Plain sampling at temperature 1 is what the figures in the model card are about; let it be the default.
    stored.generation_config = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.nn.Module.to(stored, dtype)
    stored.save_pretrained(directory)
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(directory)
    # safetensors keeps its files from other users; a model is for everybody who may read the directory.
    (directory / "model.safetensors").chmod(0o644)


def load_model(directory: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerBase]:
    """Read a model directory, weights as float32. Raises FileNotFoundError where there is no model."""
    if not (directory / "config.json").is_file():
        raise FileNotFoundError(f"{directory} holds no model (no config.json); train one with 'make model'")
    model = LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32, local_files_only=True)
    return model.eval(), AutoTokenizer.from_pretrained(directory, local_files_only=True)
