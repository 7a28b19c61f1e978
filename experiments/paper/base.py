"""The base that every variant starts from: the shipped model's pre-training (`tiny`), shown all judgment templates.

Half-made judgments come in equal shares for JM, JM-P and JM-PR, so that none of them meets its template as a stranger.
Checkpoints on the way stay, as their mistakes are what preference pairs are made of.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from selfjudge_training.seeds import derived_seed
from transformers import PreTrainedTokenizerBase

from experiments.letters.model.documents import Document, Renderer
from experiments.letters.model.tokenizer import train_tokenizer
from experiments.letters.model.weights import new_model, save_model
from experiments.letters.preferences.edits import edited
from experiments.letters.preferences.ratings import HEDGES, rate
from experiments.letters.tasks import Problem
from experiments.letters.tasks.split import Split, draw_problems
from experiments.letters.training.loss import EarlyTargets
from experiments.letters.training.pretrain import pretraining_document
from experiments.letters.training.schedule import warm_up_then_decay
from experiments.letters.training.trainer import Trainer
from experiments.paper.recipe import PaperRecipe
from selfjudge import load_templates

TEMPLATES = ("ultrafeedback", "ultrafeedback-principle", "ultrafeedback-principle-rationale")
"""Of JM, JM-P and JM-PR (tables 13, 15 and 16)."""

MODEL = "model"
"""What the stage leaves in its folder, beside `checkpoint`s."""


def checkpoint(base: Path, step: int) -> Path:
    """The weak model of a step, in the folder of the stage."""
    return base / f"step-{step}"


def make_base(recipe: PaperRecipe, workers: int, folder: Path) -> None:
    """Train tokenizer and base in ``workers`` processes; write the base and its checkpoints."""
    plan, problems = recipe.pretraining, draw_problems(Split.TRAIN, derived_seed(recipe.seed, "tokenizer"))
    texts = _texts(list(islice(problems, recipe.tokens.problems)), recipe.seed)
    tokenizer = train_tokenizer(texts, [load_templates()[name] for name in TEMPLATES], recipe.tokens.vocabulary)
    torch.manual_seed(derived_seed(recipe.seed, "base"))
    model = new_model(recipe.shape, tokenizer)

    def keep(step: int) -> None:
        if step in plan.checkpoints:
            save_model(model, tokenizer, checkpoint(folder, step))

    Trainer(
        model, tokenizer.pad_token_id, recipe.rates, EarlyTargets(plan.early_layer, plan.early_weight), workers
    ).train(
        _batches(_renderers(tokenizer), plan.batch, derived_seed(recipe.seed, "documents")),
        plan.steps,
        warm_up_then_decay(plan.steps, plan.warm_up, plan.decay, plan.floor),
        "pre-training",
        keep,
    )
    save_model(model, tokenizer, folder / MODEL)


def _texts(problems: Sequence[Problem], seed: int) -> Iterator[str]:
    """What merges are learnt from: prompts, hedges and rationales."""
    rng = random.Random(seed)
    for problem in problems:
        yield f"\n{problem.prompt}\n"
        response = rng.choice(("", *HEDGES)) + rng.choice((problem.answer, edited(problem.answer, rng)))
        yield response
        yield from (note.rationale for note in rate(problem, response).values())


def _renderers(tokenizer: PreTrainedTokenizerBase) -> list[list[Renderer]]:
    """For each template, one renderer for each of its principles."""
    templates = [load_templates()[name] for name in TEMPLATES]
    return [
        [Renderer(tokenizer, template, principle) for principle in template.principles or (None,)]
        for template in templates
    ]


def _batches(renderers: Sequence[Sequence[Renderer]], size: int, seed: int) -> Iterator[Sequence[Document]]:
    rng = random.Random(seed)
    problems = draw_problems(Split.TRAIN, seed)
    while True:
        yield [
            pretraining_document(rng.choice(rng.choice(renderers)), problem, rng) for problem in islice(problems, size)
        ]
