"""The way from the base to the adapter that ships, and on by self-training, as stages.

Each round samples, verifies and trains. Judge and policy are one model, so that a round's model answers the tasks of
the next round, and scores its answers.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from selfjudge_training.data.rows import write_lines
from selfjudge_training.jsft.jsft_stage import ADAPTER, MODEL
from selfjudge_training.run.model_folder import save_model_folder
from selfjudge_training.seeds import derived_seed
from transformers import AutoModelForCausalLM, AutoTokenizer

from experiments.smollm2.adapter import join_adapters
from experiments.smollm2.learned_rows import make_rows
from experiments.smollm2.sampling import Share, read_answers, sample_tasks
from experiments.smollm2.smollm2_recipe import Round, Smollm2Recipe
from experiments.smollm2.tasks import Task, tasks
from experiments.stages import Stage
from selfjudge.shipped.dequantised import join

SCORES, PAIRS, WATCHED, PROMPTS = "scores.jsonl", "pairs.jsonl", "watched.jsonl", "prompts.jsonl"
WORKERS = 2
"""Processes that sample, or train, side by side, each with a thread: two threads of one wait for each other at every
operation, which on a busy machine cost a process most of its speed."""
JUDGE = "jm"
"""The stage that joins the adapters of all rounds."""
TRAINING, SELF_TRAINING = "jsft-smollm2", "self-train-smollm2"
"""The recipes of `selfjudge-train` that all rounds and iterations use."""


def plan_stages(recipe: Smollm2Recipe, root: Path) -> list[Stage]:
    """All stages; one that has left its folder is not repeated."""
    return [
        Stage("prompts", (), partial(write_prompts, recipe)),
        *(stage for number in range(1, len(recipe.rounds) + 1) for stage in _round(recipe, number, root)),
        Stage(JUDGE, (f"jsft-{len(recipe.rounds)}",), partial(join_rounds, recipe, root)),
        *_self_training(recipe, root),
    ]


def model_after(recipe: Smollm2Recipe, number: int, root: Path) -> Path:
    """The model that a round has made; the base, where the number is 0."""
    return root / f"jsft-{number}" / MODEL if number else recipe.base


def tasks_of(recipe: Smollm2Recipe, number: int) -> list[Task]:
    """The tasks of a round; behind the last round's come the prompts of self-training."""
    counts = [*(plan.sampling.tasks for plan in recipe.rounds), recipe.prompts]
    start = sum(counts[: number - 1])
    return tasks("train", sum(counts), recipe.seed)[start : start + counts[number - 1]]


def _round(recipe: Smollm2Recipe, number: int, root: Path) -> Iterator[Stage]:
    plan, before = recipe.rounds[number - 1], (f"jsft-{number - 1}",) if number > 1 else ()
    seed = derived_seed(recipe.seed, "round", number)
    model = model_after(recipe, number - 1, root)
    shares = [f"answers-{number}-{share}" for share in range(WORKERS)]
    for share, name in enumerate(shares):
        yield Stage(name, before, partial(answer, recipe, number, model, seed, Share(share, WORKERS)))
    yield Stage(
        f"rows-{number}", tuple(shares), partial(write_rows, recipe, number, [root / name for name in shares], seed)
    )
    work = partial(train, plan, model, root / f"rows-{number}", seed % 2**32)
    yield Stage(f"jsft-{number}", (f"rows-{number}",), work)


def _self_training(recipe: Smollm2Recipe, root: Path) -> Iterator[Stage]:
    before, model = JUDGE, root / JUDGE / MODEL
    for number in range(1, recipe.iterations + 1):
        overrides = [f"model={model}", f"seed={number}", f"prompts.sources.0.path={root / 'prompts' / PROMPTS}"]
        name = f"self-{number}"
        yield Stage(name, ("prompts", before), partial(run_training, [], "self-train", SELF_TRAINING, overrides))
        before, model = name, root / name / MODEL


def join_rounds(recipe: Smollm2Recipe, root: Path, folder: Path) -> None:
    """Write the adapter that ships, and the folder that `make serve` makes of it."""
    join_adapters([root / f"jsft-{number}" / ADAPTER for number in range(1, len(recipe.rounds) + 1)], folder / ADAPTER)
    model = AutoModelForCausalLM.from_pretrained(recipe.base, dtype=torch.bfloat16)
    join(model, folder / ADAPTER)
    save_model_folder(model, AutoTokenizer.from_pretrained(recipe.base), folder / MODEL)


def write_prompts(recipe: Smollm2Recipe, folder: Path) -> None:
    """The instructions of self-training, without anything that would verify them."""
    write_lines(({"prompt": task.prompt} for task in tasks_of(recipe, len(recipe.rounds) + 1)), folder / PROMPTS)


def answer(recipe: Smollm2Recipe, number: int, model: Path, seed: int, share: Share, folder: Path) -> None:
    """Sample; the base is no judge yet."""
    plan = recipe.rounds[number - 1].sampling
    sample_tasks(model, tasks_of(recipe, number), plan, seed, share, folder, judges=number > 1)


def write_rows(recipe: Smollm2Recipe, number: int, shares: Sequence[Path], seed: int, folder: Path) -> None:
    """Verify, edit, mine."""
    drawn, answers, plan = tasks_of(recipe, number), read_answers(shares), recipe.rounds[number - 1]
    end = len(drawn) - recipe.watched
    learned = make_rows(drawn[:end], answers[:end], plan, seed)
    write_lines(learned.scores, folder / SCORES)
    write_lines(learned.pairs, folder / PAIRS)
    write_lines(make_rows(drawn[end:], answers[end:], plan, seed).scores, folder / WATCHED)


def train(plan: Round, model: Path, rows: Path, seed: int, folder: Path) -> None:
    """JSFT by the recipe and the command that users have, one process a core."""
    overrides = [
        f"seed={seed}",
        f"start.path={model}",
        f"data.scores.0.path={rows / SCORES}",
        f"data.pairs.0.path={rows / PAIRS}",
        f"evaluation.scores.0.path={rows / WATCHED}",
        f"optimisation.learning_rate={plan.training.learning_rate}",
        f"optimisation.epochs={plan.training.epochs}",
    ]
    # The name of the flag notwithstanding, processes without a GPU talk by gloo.
    launch = ["accelerate", "launch", "--multi_gpu", f"--num_processes={WORKERS}", "--num_machines=1"]
    launch += ["--num_cpu_threads_per_process=1", "--mixed_precision=no", "--dynamo_backend=no", "--no_python"]
    run_training(launch, "jsft", TRAINING, overrides, folder)


def run_training(launch: Sequence[str], command: str, config: str, overrides: Sequence[str], folder: Path) -> None:
    """Run a command of `selfjudge-train`, as users do: in several processes by ``launch``, else with all cores."""
    here = Path(sys.executable).parent
    threads = 1 if launch else WORKERS
    environment = os.environ | {"PATH": f"{here}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": str(threads)}
    arguments = [*launch, "selfjudge-train", command, "--config", config, "--output", str(folder), *overrides]
    subprocess.run(arguments, check=True, env=environment)  # noqa: S603
