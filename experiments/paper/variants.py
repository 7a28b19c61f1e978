"""JSFT of the variants: the JSFT set, trained by the loop that makes the shipped model (`tiny`).

Not by the JSFT stage, whose AdamW is for models that can do something. In trials from the shipped model's pre-trained
base (6,000 rows, steps of 128 examples) the stage judged its training pairs at chance after 160 steps (rate 1e-3, a
cosine over 200; one setting only), this loop judged 0.725 of 200 held-out pairs right after 225 steps, and rising.
An example's targets share one weight between them, and the choice has half of its judgment's, as with the stage's
weighting by examples. The chosen response within a judgment stays a target (``replay``), as for the shipped model.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from selfjudge_training.data.examples.jsft_set import JsftExample, jsft_examples, units
from selfjudge_training.data.load import load_demonstrations, load_pairs
from selfjudge_training.seeds import derived_seed

from experiments.letters.model.documents import Document
from experiments.letters.model.weights import load_model, save_model
from experiments.letters.training.judging import CHOICE_WEIGHT
from experiments.letters.training.schedule import cosine
from experiments.letters.training.trainer import Trainer
from experiments.paper.arms import MAX_TOKENS, VARIANTS
from experiments.paper.base import TemplateRenderer
from experiments.paper.data import DEMONSTRATIONS, TRAIN, source
from experiments.paper.recipe import PaperRecipe
from selfjudge import Chat, SafeTokenizer, load_templates


def train_variant(recipe: PaperRecipe, name: str, seed: int, base: Path, data: Path, folder: Path) -> None:
    """Train one variant on one core, and write its model; as many judgments without demonstrations as with them."""
    variant, plan = VARIANTS[name], recipe.jsft
    template = load_templates()[variant.template]
    model, tokenizer = load_model(base)
    made = jsft_examples(
        Chat(SafeTokenizer(tokenizer)),
        template,
        load_demonstrations((source(data, DEMONSTRATIONS),)).records if variant.demonstrations else [],
        load_pairs((source(data, TRAIN),), template, seed=seed).records,
        max_tokens=MAX_TOKENS,
    )
    renderers = {
        principle: TemplateRenderer(tokenizer, template, principle) for principle in template.principles or (None,)
    }
    steps = plan.steps if variant.demonstrations else plan.steps_without
    Trainer(model, tokenizer.pad_token_id, recipe.rates, None, workers=1).train(
        _batches(_units(made.examples, renderers, plan.replay), plan.batch, derived_seed(seed, "batches")),
        steps,
        cosine(plan.rate, steps),
        name,
    )
    save_model(model, tokenizer, folder / "model")


def _units(
    examples: Sequence[JsftExample], renderers: Mapping[str | None, TemplateRenderer], replay: float
) -> list[list[Document]]:
    """What stays together in a batch: a dialogue, or a pair in both orders.

    In a trial of 400 steps, a judge that met the orders together was right on 0.757 of 1,000 held-out pairs, and one
    that met them apart on 0.684.
    """
    documents = [_document(example, renderers, replay) for example in examples]
    together = units([example.kind == "judgment" for example in examples])
    return [[documents[index] for index in unit] for unit in together]


def _batches(units: Sequence[Sequence[Document]], size: int, seed: int) -> Iterator[Sequence[Document]]:
    """Epoch after epoch without end, each in an order of its own; what fills no batch goes into the next."""
    rng, waiting = random.Random(seed), list[Document]()
    while True:
        for unit in rng.sample(units, len(units)):
            waiting += unit
            if len(waiting) >= size:
                yield waiting[:size]
                waiting = waiting[size:]


def _document(example: JsftExample, renderers: Mapping[str | None, TemplateRenderer], replay: float) -> Document:
    """With its weights: 1 for a dialogue; for a judgment 1 for the choice, the first target, and 1 for what follows.

    The chosen response of a judgment that is whole has ``replay`` besides.
    """
    targets = [place for place, is_target in enumerate(example.loss_mask) if is_target]
    weights = [0.0] * len(example.input_ids)
    if example.choice is not None:
        weights[targets[0]] = CHOICE_WEIGHT / 2
        targets = targets[1:]
    for place in targets:
        weights[place] = 1 / len(targets)
    document = Document(example.input_ids, weights)
    if example.choice is None or example.cut or not replay:
        return document
    return renderers[example.principle].with_response(document, example.choice, replay)
