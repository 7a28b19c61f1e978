"""A configuration of self-training tried out in seconds: its prompts and few steps, on a tiny model like its own.

As JSFT's dry run, and with the same limits: weights are random and few, data sets of the hub give way to generated rows
of the same format, responses are short, a CPU computes in float32, Hugging Face does the roll-outs, and nothing is
published.
"""

from pathlib import Path

import torch

from selfjudge_training.data.trial import ROWS, few
from selfjudge_training.jsft.dry_run import trial_folder
from selfjudge_training.self_training.config import SelfTrainingConfig
from selfjudge_training.self_training.stage import self_train

NEW_TOKENS = 16
"""Longest response."""

BATCH = 2
"""Prompts, or pairs, of the one step."""


def dry_run(config: SelfTrainingConfig, tokenizer: Path) -> None:
    """Take few steps in a temporary folder. Raises what `self_train` raises, and ConfigError."""
    with trial_folder(config.architecture, tokenizer, config.max_tokens) as folder:
        self_train(reduced(config, folder), folder / "run")


def reduced(config: SelfTrainingConfig, folder: Path) -> SelfTrainingConfig:
    """The configuration with few prompts, few small steps, and the tiny model in ``folder``."""
    changes: dict[str, dict[str, object]] = {
        "prompts": {"sources": few(config.prompts.sources, folder)},
        "decoding": {"max_new_tokens": NEW_TOKENS},
        "rollouts": {"backend": "huggingface", "prompts_per_call": BATCH},
        # With so few epochs the rows give four batches, or one where most are malformed or repeat a prompt.
        "optimisation": {"batch": BATCH, "epochs": 4 * BATCH / ROWS},
        "evaluation": {"pairs": few(config.evaluation.pairs, folder)},
        "machine": {"micro_batch": 1, "trackers": ()},
    }
    if not torch.cuda.is_available():
        changes["machine"] |= {"precision": "float32", "attn_implementation": None}
    sections = {name: getattr(config, name).model_copy(update=update) for name, update in changes.items()}
    return config.model_copy(update={**sections, "model": folder / "start", "publish": None, "iterations": 1})
