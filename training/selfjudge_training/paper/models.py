"""The models that are compared, and the self-training of them: which stage, with which configuration.

The four of tables 2 and 5 differ in their judgment template, and in whether there are demonstrations; the three arms of
table 4 in where their pairs come from. All else is equal.
"""

from pathlib import Path
from typing import NamedTuple

from selfjudge_training.paper.data import TRAIN, source
from selfjudge_training.paper.recipe import PaperRecipe
from selfjudge_training.self_training.config import Judgments, Machine, Prompts, SelfTrainingConfig
from selfjudge_training.self_training.stage import self_train

MAX_TOKENS = 96
"""Longest sequence. One in 200 is longer, of a response that repeats a template, and would make its batch as long."""

CHECKPOINT_EVERY = 50
"""Steps."""


class Variant(NamedTuple):
    """A model of tables 2 and 5."""

    template: str
    demonstrations: bool


VARIANTS = {
    "jm-pr": Variant("ultrafeedback-principle-rationale", demonstrations=True),
    "jm": Variant("ultrafeedback", demonstrations=True),
    "jm-p": Variant("ultrafeedback-principle", demonstrations=True),
    "judge-only": Variant("ultrafeedback", demonstrations=False),
}

ARMS = ("offline", "off-policy", "on-policy")


def train_arm(recipe: PaperRecipe, arm: str, rate: float, seed: int, model: Path, data: Path, folder: Path) -> None:
    """One arm of table 4: equally many steps on pairs of equally many prompts. Its model is in ``folder / "model"``."""
    config = _self_training(recipe, rate, seed, model, data, VARIANTS["jm"].template)
    self_train(config.model_copy(update={"arm": arm}), folder)


def iterate(recipe: PaperRecipe, rate: float, seed: int, model: Path, data: Path, folder: Path) -> None:
    """Self-training of JM-PR several times in a row (section 5.3)."""
    config = _self_training(recipe, rate, seed, model, data, VARIANTS["jm-pr"].template)
    self_train(config.model_copy(update={"iterations": recipe.self_training.iterations}), folder)


def iteration(folder: Path, number: int) -> Path:
    """The model of one iteration, counted from 1, in the folder of the stage."""
    return folder / f"iteration-{number}" / "model"


def _self_training(
    recipe: PaperRecipe, rate: float, seed: int, model: Path, data: Path, template: str
) -> SelfTrainingConfig:
    plan = recipe.self_training
    return SelfTrainingConfig(
        model=model,
        seed=seed,
        max_tokens=MAX_TOKENS,
        prompts=Prompts(sources=(source(data, TRAIN, plan.prompts),)),
        lora=plan.lora,
        decoding=plan.decoding,
        judge=Judgments(template=template),
        objective=plan.objective,
        optimisation=plan.optimisation.at(rate),
        machine=_machine(plan.optimisation.batch),
    )


def _machine(batch: int) -> Machine:
    return Machine(micro_batch=batch, checkpoint_every=CHECKPOINT_EVERY)
