"""Seconds of an on-policy step by back end of the roll-outs, Hugging Face and vLLM in turn: docs/results/rollouts.md.

    python -m experiments.rollouts_benchmark

Models of random weights stand for those that can't be had here: their answers end at random, so that a batch has long
answers among short ones as real ones do. The steps that warm up are not counted.
"""

import argparse
import gc
import math
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from selfjudge_training.run.config import load_config, recipe_path
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.run.model_folder import save_model_folder
from selfjudge_training.run.processes import make_accelerator
from selfjudge_training.self_training.exchange import AdapterExchange, Taker
from selfjudge_training.self_training.learner import Learner
from selfjudge_training.self_training.loop import Loop
from selfjudge_training.self_training.policy import load_policy
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig
from selfjudge_training.self_training.self_training_stage import Backend, on_policy, start_backend
from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM

from selfjudge.shipped import TINY_MODEL

BACKENDS = ("huggingface", "vllm")
CONTEXT, MEAN_TOKENS = 1024, 48
COLUMNS = ("step", "sampling and judging", "learning", "processor", "tokens")


class Cell(NamedTuple):
    """What is sampled from what."""

    name: str
    width: int | None
    """Of a model of random weights; none: the tiny model."""
    max_new_tokens: int


CELLS = {
    "shipped": Cell("the tiny model, its short answers", None, 24),
    "long": Cell("random weights of the same size, long answers", 128, 256),
    "larger": Cell("random weights, 4 times as many, long answers", 256, 256),
}


def make_model(width: int, folder: Path) -> None:
    """Write a model whose answers have `MEAN_TOKENS` tokens on average."""
    tokenizer = AutoTokenizer.from_pretrained(TINY_MODEL, local_files_only=True)
    torch.manual_seed(0)
    heads = width // 32
    shape = AutoConfig.from_pretrained(
        TINY_MODEL,
        hidden_size=width,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        intermediate_size=11 * width // 4,
        tie_word_embeddings=False,
    )
    made, end = LlamaForCausalLM(shape), tokenizer.eos_token_id
    ids = torch.arange(len(tokenizer))[:, None]
    with torch.no_grad():  # one channel is the same after any token, and speaks for the end
        made.model.embed_tokens.weight[:, 0] = 1.0
        for layer in made.model.layers:
            layer.self_attn.o_proj.weight[0] = 0.0
            layer.mlp.down_proj.weight[0] = 0.0
        made.lm_head.weight[:, 0] = 0.0
        made.lm_head.weight[end] = 0.0
        channel = made.model(input_ids=ids).last_hidden_state[:, 0, 0].mean()
        made.lm_head.weight[end, 0] = math.log((len(ids) - 1) / (MEAN_TOKENS - 1)) / channel
    save_model_folder(made, tokenizer, folder)


def config_of(cell: Cell, backend: str, folder: Path) -> SelfTrainingConfig:
    """Self-training of a cell; a model that learns would change the lengths of its answers."""
    (folder / "prompts.jsonl").write_text(
        "".join(f'{{"prompt": "Add {n} and {n * n}.", "chosen": "1", "rejected": "2"}}\n' for n in range(640)), "utf-8"
    )
    overrides = [f"decoding.max_new_tokens={cell.max_new_tokens}", f"rollouts.backend={backend}"]
    overrides += [f"prompts.sources=[{{format: preferences, path: {folder / 'prompts.jsonl'}}}]"]
    if cell.width is not None:
        overrides += [f"model={folder / 'model'}", f"max_tokens={CONTEXT}", "optimisation.learning_rate=1.0e-9"]
        overrides += ["machine.micro_batch=8"]
    return load_config(SelfTrainingConfig, recipe_path("self-train-tiny"), overrides)


def make_loop(config: SelfTrainingConfig, backend: Backend | None, folder: Path, steps: int) -> Loop:
    """Of a policy of its own."""
    accelerator, every = make_accelerator(), config.rollouts.adapter_every
    policy = load_policy(config, accelerator.device)
    return Loop(
        config,
        accelerator,
        RunFolder.open(folder, config, seed=0, trackers=()),
        Learner(config, policy, accelerator, steps),
        on_policy(config, policy, accelerator, config.model, backend),
        AdapterExchange(policy, folder, accelerator, [Taker(backend.use_adapter, every)] if backend else []),
        (),
        steps,
    )


def take(loop: Loop, step: int) -> dict[str, float]:
    """Wall clock of a step's parts, and what the process used of the processors over all of them."""
    began = time.process_time()
    figures = loop.step(step)
    used, names = time.process_time() - began, ("seconds/rollouts", "seconds/learning", "sampled/tokens")
    rollouts, learning, tokens = (figures[name] for name in names)
    return dict(zip(COLUMNS, (rollouts + learning, rollouts, learning, used, tokens), strict=True))


def measure(cell: Cell, steps: int, warm_up: int) -> dict[str, dict[str, float]]:
    """Medians over steps in which both took turns."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder, loops, taken = Path(name), {}, warm_up + steps
        if cell.width is not None:
            make_model(cell.width, folder / "model")
        for each in BACKENDS:
            config = config_of(cell, each, folder)
            backend = start_backend(config, make_accelerator(), folder)
            if backend is not None:
                stack.callback(backend.close)
            loops[each] = make_loop(config, backend, folder / each, taken)
        found = [{each: take(loop, step) for each, loop in loops.items()} for step in range(taken)][warm_up:]
    del loops
    gc.collect()  # the next cell has no room for this one's engine
    return {each: {part: median(row[each][part] for row in found) for part in found[0][each]} for each in BACKENDS}


def main() -> None:
    """Print a line of a table for each cell and back end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", choices=list(CELLS), default=list(CELLS))
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=2)
    options = parser.parse_args()
    print("| cell | back end |", " | ".join(COLUMNS), "|")
    for name in options.cells:
        for backend, figures in measure(CELLS[name], options.steps, options.warm_up).items():
            print(f"| {CELLS[name].name} | {backend} |", " | ".join(f"{value:.3f}" for value in figures.values()), "|")


if __name__ == "__main__":
    main()
