"""A configuration of self-training tried out in seconds: its prompts and few steps, on a tiny model like its own.

As JSFT's dry run, and with the same limits: weights are random and few, data sets of the hub give way to generated rows
of the same format, responses are short, a CPU computes in float32, Hugging Face does the roll-outs, and nothing is
published.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from selfjudge_training.data.trial import ROWS, few
from selfjudge_training.jsft.dry_run import trial_folder
from selfjudge_training.self_training.config import Machine, Optimisation, SelfTrainingConfig

NEW_TOKENS = 16
"""Longest response."""

BATCH = 2
"""Prompts, or pairs, of the one step."""


def dry_run(config: SelfTrainingConfig, tokenizer: Path, train: Callable[[SelfTrainingConfig, Path], Path]) -> None:
    """Have ``train`` take few steps in a temporary folder. Raises what it raises, and ConfigError."""
    with trial_folder(config.architecture, tokenizer, config.max_tokens) as folder:
        train(reduced(config, folder), folder / "run")


def reduced(config: SelfTrainingConfig, folder: Path) -> SelfTrainingConfig:
    """The configuration with few prompts, few small steps, and the tiny model in ``folder``."""
    prompts = {"sources": few(config.prompts.sources, folder)} if config.prompts.sources else {"checkable": ROWS}
    return config.model_copy(
        update={
            "model": folder / "start",
            "prompts": config.prompts.model_copy(update=prompts),
            "decoding": config.decoding.model_copy(update={"max_new_tokens": NEW_TOKENS}),
            "rollouts": config.rollouts.model_copy(update={"backend": "huggingface", "prompts_per_call": 2}),
            "publish": None,
            "optimisation": few_steps(config.optimisation),
            "machine": here(config.machine, micro_batch=1),
            "iterations": 1,
        }
    )


def few_steps(optimisation: Optimisation) -> Optimisation:
    """With so few epochs that the rows give four batches, or one where most are malformed or repeat a prompt."""
    return optimisation.model_copy(update={"batch": BATCH, "epochs": 4 * BATCH / ROWS})


def here(machine: Machine, *, micro_batch: int) -> Machine:
    """With the arithmetic of this machine."""
    precision = machine.precision if torch.cuda.is_available() else "float32"
    return machine.model_copy(update={"precision": precision, "micro_batch": micro_batch})
