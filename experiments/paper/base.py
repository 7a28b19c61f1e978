"""The base that every variant starts from: the shipped model's pre-training, shown all judgment templates.

Half-made judgments come in equal shares for JM, JM-P and JM-PR, so that none of them meets its template as a stranger.
Checkpoints on the way stay, as their mistakes are what preference pairs are made of.
"""

import random
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import torch
from selfjudge_training.jsft.jsft_stage import MODEL
from selfjudge_training.seeds import derived_seed

from experiments.letters.model import new_model
from experiments.letters.preferences.ratings import HEDGES, rate
from experiments.letters.preferences.wrong import edited
from experiments.letters.pretraining import pretrain, step_model
from experiments.letters.tasks import Problem, Split, draw_problems
from experiments.letters.tokenizer import train_tokenizer
from experiments.paper.recipe import VARIANTS, PaperRecipe
from selfjudge import load_templates


def make_base(recipe: PaperRecipe, folder: Path) -> None:
    """Train tokenizer and base; write the base's `MODEL`, and its checkpoints as `step_model`s."""
    problems = islice(draw_problems(Split.TRAIN, derived_seed(recipe.seed, "tokenizer")), recipe.tokens.problems)
    templates = [load_templates()[name] for name in dict.fromkeys(VARIANTS.values())]
    tokenizer = train_tokenizer(tokenizer_texts(problems, recipe.seed), templates, recipe.tokens.vocabulary)
    torch.manual_seed(derived_seed(recipe.seed, "base"))
    model = new_model(recipe.shape, tokenizer)
    seed = derived_seed(recipe.seed, "documents")
    pretrain(model, tokenizer, templates, recipe.pretraining, recipe.rates, seed, folder)
    step_model(folder, recipe.pretraining.steps).rename(folder / MODEL)


def tokenizer_texts(problems: Iterable[Problem], seed: int) -> Iterator[str]:
    """What merges are learnt from: prompts, hedges and rationales."""
    rng = random.Random(seed)
    for problem in problems:
        yield f"\n{problem.prompt}\n"
        response = rng.choice(("", *HEDGES)) + rng.choice((problem.answer, edited(problem.answer, rng)))
        yield response
        yield from (note.rationale for note in rate(problem, response).values())
