"""A configuration tried out in seconds: its data and few steps, on a tiny model of its architecture.

Everything runs as it would, from the loaders to the model folder, but for what a laptop has not: the weights are random
and few, data sets of the hub give way to generated rows of the same format, responses are short, a CPU computes in
float32, Hugging Face does the roll-outs, and nothing is published. What it can't show is whether the real model and
data sets can be had, and whether they fit into memory.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from selfjudge_training.data.source import Format, Source
from selfjudge_training.jsft.jsft_config import JsftConfig
from selfjudge_training.jsft.jsft_stage import run_jsft
from selfjudge_training.run.config import ConfigError, Section
from selfjudge_training.run.processes import processes
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig
from selfjudge_training.self_training.self_training_stage import self_train

ROWS = 32
"""Read or generated per source."""
BATCH = 2
"""Examples, prompts or pairs of a step, one micro-batch each: as many as any two rows give."""
NEW_TOKENS = 16
"""Longest response."""
PRINCIPLES = ("instruction_following", "honesty", "truthfulness", "helpfulness")
"""As UltraFeedback names them."""

Config = TypeVar("Config", bound=Section)


def dry_run(config: JsftConfig | SelfTrainingConfig, tokenizer: Path) -> None:
    """Take few steps in a temporary folder. Raises what the stages raise, and ConfigError."""
    if processes().num_processes > 1:
        raise ConfigError("a dry run takes one process; start it without 'accelerate launch'")
    with tempfile.TemporaryDirectory(prefix="selfjudge-dry-run-") as name:
        folder = Path(name)
        if isinstance(config, JsftConfig):
            make_tiny_model(config.start.architecture, tokenizer, config.data.max_length, folder / "start")
            run_jsft(_small_jsft(config, folder), folder / "run")
        else:
            make_tiny_model(config.architecture, tokenizer, config.max_tokens, folder / "start")
            self_train(_small_self_training(config, folder), folder / "run")


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


def _small_jsft(config: JsftConfig, folder: Path) -> JsftConfig:
    changes: dict[str, Mapping[str, object]] = {
        "start": {"path": str(folder / "start")},
        "data": {
            "demonstrations": _few(config.data.demonstrations, folder),
            "pairs": _few(config.data.pairs, folder),
            "scores": _few(config.data.scores, folder),
        },
        "evaluation": {
            "pairs": _few(config.evaluation.pairs, folder),
            "scores": _few(config.evaluation.scores, folder),
        },
        "optimisation": {"steps": 1, "batch": BATCH, "micro_batch": 1},
        "machine": _machine(),
    }
    return _changed(config, changes)


def _small_self_training(config: SelfTrainingConfig, folder: Path) -> SelfTrainingConfig:
    changes: dict[str, Mapping[str, object]] = {
        "prompts": {"sources": _few(config.prompts.sources, folder)},
        "decoding": {"max_new_tokens": NEW_TOKENS},
        "rollouts": {"backend": "huggingface", "prompts_per_call": BATCH},
        # With so few epochs the rows give four batches, or one where most are malformed or repeat a prompt.
        "optimisation": {"batch": BATCH, "epochs": 4 * BATCH / ROWS},
        "evaluation": {"pairs": _few(config.evaluation.pairs, folder)},
        "machine": {"micro_batch": 1, **_machine()},
    }
    return _changed(config, changes, model=folder / "start", publish=None, iterations=1)


def _machine() -> dict[str, object]:
    on_cpu = {} if torch.cuda.is_available() else {"precision": "float32", "attn_implementation": None}
    return {"trackers": (), **on_cpu}


def _changed(config: Config, sections: Mapping[str, Mapping[str, object]], **values: object) -> Config:
    parts = {name: getattr(config, name).model_copy(update=changes) for name, changes in sections.items()}
    return config.model_copy(update={**parts, **values})


def _few(sources: Sequence[Source], folder: Path) -> tuple[Source, ...]:
    """The heads of local sources; for those on the hub, generated rows of their formats, written to ``folder``."""
    few = []
    for source in sources:
        path = source.path or folder / f"{source.format}.jsonl"
        if source.path is None:
            rows = (json.dumps(_row(source.format, number)) + "\n" for number in range(ROWS))
            path.write_text("".join(rows), encoding="utf-8")
        # All parts: of so few rows, one may be none.
        few.append(Source(format=source.format, path=path, limit=min(source.limit or ROWS, ROWS)))
    return tuple(few)


def _row(form: Format, number: int) -> dict[str, object]:
    prompt, chosen, rejected = f"Add {number} and 4.", str(number + 4), str(number)
    if form == "preferences":
        return {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    if form == "prompts":
        return {"prompt": prompt}
    if form == "scored":
        return {"prompt": prompt, "response": chosen if number % 2 else rejected, "right": bool(number % 2)}
    if form == "hh":
        before = f"\n\nHuman: {prompt}\n\nAssistant: "
        return {"chosen": before + chosen, "rejected": before + rejected}
    completions = [
        {
            "response": response,
            "annotations": {name: {"Rating": rating, "Rationale": f"It is {verdict}."} for name in PRINCIPLES},
        }
        for response, rating, verdict in ((chosen, "5", "right"), (rejected, "1", "wrong"))
    ]
    return {"instruction": prompt, "completions": completions}
