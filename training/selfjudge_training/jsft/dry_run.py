"""A recipe tried out in seconds: its configuration, its data and one step, on a tiny model of its architecture.

Everything runs as it would, from the loaders to the model folder, but for what a laptop has not: the weights are random
and few, data sets of the hub give way to generated rows of the same format, and a CPU computes in float32. What it
can't show is whether the real model and data sets can be had, and whether they fit into memory.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from selfjudge_training.data.trial import few
from selfjudge_training.jsft.config import JsftConfig
from selfjudge_training.jsft.stage import run_jsft
from selfjudge_training.run.config import ConfigError, Section
from selfjudge_training.run.processes import processes

BATCH = 2
"""Examples of the one step, accumulated one by one: as many as any two rows give."""


def dry_run(config: JsftConfig, tokenizer: Path) -> None:
    """Take one step and write the model, in a temporary folder. Raises what `stage.run_jsft` raises."""
    with trial_folder(config.start.architecture, tokenizer, config.data.max_length) as folder:
        run_jsft(reduced(config, folder), folder / "run")


@contextmanager
def trial_folder(architecture: str, tokenizer: Path, context: int) -> Iterator[Path]:
    """A temporary folder with a tiny model in ``start``. Raises ConfigError as `make_tiny_model`, or in company."""
    if processes().num_processes > 1:
        raise ConfigError("a dry run takes one process; start it without 'accelerate launch'")
    with tempfile.TemporaryDirectory(prefix="selfjudge-dry-run-") as name:
        make_tiny_model(architecture, tokenizer, context, Path(name, "start"))
        yield Path(name)


def reduced(config: JsftConfig, folder: Path) -> JsftConfig:
    """The configuration with few rows, one small step, and the tiny model in `folder`."""
    changes: dict[str, Section] = {
        "start": config.start.model_copy(update={"path": str(folder / "start")}),
        "data": config.data.model_copy(
            update={
                "demonstrations": few(config.data.demonstrations, folder),
                "pairs": few(config.data.pairs, folder),
            }
        ),
        "optimisation": config.optimisation.model_copy(update={"steps": 1, "batch": BATCH, "micro_batch": 1}),
    }
    if not torch.cuda.is_available():
        changes["machine"] = config.machine.model_copy(update={"precision": "float32"})
    return config.model_copy(update=changes)


def make_tiny_model(architecture: str, tokenizer: Path, context: int, folder: Path) -> None:
    """Write a model folder with random weights. Raises ConfigError for what Transformers or the disk doesn't have."""
    if not (tokenizer / "tokenizer_config.json").is_file():
        raise ConfigError(f"--tokenizer {tokenizer}: no tokenizer there (no tokenizer_config.json)")
    tokens = AutoTokenizer.from_pretrained(tokenizer, local_files_only=True)
    try:
        shape = AutoConfig.for_model(
            architecture,
            vocab_size=len(tokens),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=context,
            bos_token_id=tokens.bos_token_id,
            eos_token_id=tokens.eos_token_id,
            pad_token_id=tokens.pad_token_id,
        )
    except ValueError as error:
        raise ConfigError(f"start.architecture is {architecture!r}: no model type of Transformers") from error
    AutoModelForCausalLM.from_config(shape).save_pretrained(folder)
    tokens.save_pretrained(folder)
