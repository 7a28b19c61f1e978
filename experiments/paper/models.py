"""The models that are compared, and the self-training of them: which stage, with which configuration.

The four of tables 2 and 5 differ in their judgment template, and in whether there are demonstrations; the arms of table
4 in where their pairs come from. All else is equal.
"""

from pathlib import Path
from typing import Literal, NamedTuple

from selfjudge_training.jsft import jsft_config as jsft
from selfjudge_training.jsft.jsft_stage import run_jsft
from selfjudge_training.self_training.self_training_config import (
    Judgments,
    Machine,
    Optimisation,
    Prompts,
    SelfTrainingConfig,
)
from selfjudge_training.self_training.self_training_stage import self_train

from experiments.paper.data import DEMONSTRATIONS, TRAIN, source
from experiments.paper.recipe import PaperRecipe

MAX_TOKENS = 96
"""Longest sequence. One in 200 is longer, of a response that repeats a template, and would make its batch as long."""


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

Arm = Literal["offline", "off-policy", "on-policy"]
ARMS: tuple[Arm, ...] = ("offline", "off-policy", "on-policy")

JUDGES: tuple[Literal["previous", "first"], ...] = ("previous", "first")
"""Of iterations: the paper's (section 5.3), and the model that all began with."""


def train_variant(recipe: PaperRecipe, name: str, seed: int, base: Path, data: Path, folder: Path) -> None:
    """JSFT of a variant; without demonstrations as many judgments as with. Its model is in ``folder / "model"``."""
    variant, plan = VARIANTS[name], recipe.jsft
    config = jsft.JsftConfig(
        seed=seed,
        start=jsft.Start(path=str(base), architecture="llama"),
        data=jsft.Data(
            demonstrations=(source(data, DEMONSTRATIONS),) if variant.demonstrations else (),
            pairs=(source(data, TRAIN),),
            template=variant.template,
            max_length=MAX_TOKENS,
            replay=plan.replay,
        ),
        optimisation=jsft.Optimisation(
            epochs=plan.steps,  # more than there are: the steps decide
            steps=plan.steps if variant.demonstrations else plan.steps_without,
            batch=plan.batch,
            micro_batch=plan.batch // 2,
            optimizer="muon",
            learning_rate=plan.rate * recipe.rates.others,
            matrix_learning_rate=plan.rate * recipe.rates.matrices,
            beta2=0.98,
            warm_up=0.0,
            weighting="examples",
        ),
        machine=jsft.Machine(trackers=()),
    )
    run_jsft(config, folder)


def train_arm(recipe: PaperRecipe, arm: Arm, seed: int, model: Path, data: Path, folder: Path) -> None:
    """One arm of table 4: equally many steps on pairs of equally many prompts. Its model is in ``folder / "model"``."""
    rate = getattr(recipe.self_training.rates, arm.replace("-", "_"))
    config = _config(recipe, rate, seed, model, data, Judgments(template=VARIANTS["jm"].template))
    self_train(config.model_copy(update={"arm": arm}), folder)


def iterate(
    recipe: PaperRecipe, weights: Literal["previous", "first"], seed: int, model: Path, data: Path, folder: Path
) -> None:
    """Self-training of JM-PR several times in a row (section 5.3)."""
    judge = Judgments(template=VARIANTS["jm-pr"].template, weights=weights)
    config = _config(recipe, recipe.self_training.rates.iterated, seed, model, data, judge)
    self_train(config.model_copy(update={"iterations": recipe.self_training.iterations}), folder)


def iteration(folder: Path, number: int) -> Path:
    """The model of one iteration, counted from 1, in the folder of the stage."""
    return folder / f"iteration-{number}" / "model"


def _config(
    recipe: PaperRecipe, rate: float, seed: int, model: Path, data: Path, judge: Judgments
) -> SelfTrainingConfig:
    plan = recipe.self_training
    return SelfTrainingConfig(
        model=model,
        seed=seed,
        max_tokens=MAX_TOKENS,
        prompts=Prompts(sources=(source(data, TRAIN, plan.prompts),)),
        lora=plan.lora,
        decoding=plan.decoding,
        judge=judge,
        optimisation=Optimisation(epochs=plan.epochs, batch=plan.batch, learning_rate=rate),
        machine=Machine(micro_batch=plan.batch, trackers=()),
    )
