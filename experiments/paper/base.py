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
from experiments.letters.model.weights import new_model, save_model
from experiments.letters.tasks.split import Split, draw_problems
from experiments.letters.training.loss import EarlyTargets
from experiments.letters.training.pretrain import pretraining_document
from experiments.letters.training.schedule import warm_up_then_decay
from experiments.letters.training.trainer import Trainer
from experiments.paper.recipe import PaperRecipe
from experiments.paper.shared_tokenizer import TEMPLATES, train_tokenizer
from selfjudge import JudgmentEncoder, JudgmentTemplate, load_templates

MODEL = "model"
"""What the stage leaves in its folder, beside `checkpoint`s."""


def checkpoint(base: Path, step: int) -> Path:
    """The weak model of a step, in the folder of the stage."""
    return base / f"step-{step}"


class TemplateRenderer(Renderer):
    """Documents whose judgments are by one template under one principle."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: JudgmentTemplate, principle: str | None) -> None:
        super().__init__(tokenizer)
        self.encoder = JudgmentEncoder(self.chat, template, principle, max_tokens=self.encoder.max_tokens)
        _, before_a, before_b, closing = template.wording(principle).user
        self._borders = [self.chat.tokens.encode(border)[0] for border in (before_a, before_b, f"{closing}\n")]


def make_base(recipe: PaperRecipe, workers: int, folder: Path) -> None:
    """Train tokenizer and base in ``workers`` processes; write the base and its checkpoints."""
    plan, problems = recipe.pretraining, draw_problems(Split.TRAIN, derived_seed(recipe.seed, "tokenizer"))
    tokenizer = train_tokenizer(list(islice(problems, recipe.tokens.problems)), recipe.tokens.vocabulary, recipe.seed)
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


def _renderers(tokenizer: PreTrainedTokenizerBase) -> list[list[Renderer]]:
    """For each template, one renderer for each of its principles."""
    templates = [load_templates()[name] for name in TEMPLATES]
    return [
        [TemplateRenderer(tokenizer, template, principle) for principle in template.principles or (None,)]
        for template in templates
    ]


def _batches(renderers: Sequence[Sequence[Renderer]], size: int, seed: int) -> Iterator[Sequence[Document]]:
    rng = random.Random(seed)
    problems = draw_problems(Split.TRAIN, seed)
    while True:
        yield [
            pretraining_document(rng.choice(rng.choice(renderers)), problem, rng) for problem in islice(problems, size)
        ]
