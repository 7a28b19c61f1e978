"""The recipe of the miniature: every number that decides what comes out, and which models are compared."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from selfjudge_training.jsft.jsft_config import Lora
from selfjudge_training.run.config import Section
from selfjudge_training.self_training.self_training_config import Decoding

from experiments.letters.letters_recipe import Pretraining, Rates, Shape, Share, Tokens

Seeds = Annotated[tuple[int, ...], Field(min_length=1)]

JUDGE_ONLY = "judge-only"
"""The variant without demonstrations (table 2)."""

VARIANTS = {
    "jm": "ultrafeedback",
    "jm-p": "ultrafeedback-principle",
    "jm-pr": "ultrafeedback-principle-rationale",
    JUDGE_ONLY: "ultrafeedback",
}
"""The models of tables 2 and 5, and the judgment template of each (tables 13, 15 and 16)."""

Arm = Literal["offline", "off-policy", "on-policy"]
ARMS: tuple[Arm, ...] = ("offline", "off-policy", "on-policy")
"""Where the pairs of table 4 come from."""

Judge = Literal["previous", "first"]
JUDGES: tuple[Judge, ...] = ("previous", "first")
"""Of an iteration (figure 5): the model before it, as in the paper, or the one that all began with."""


class Data(Section):
    """Rows in UltraFeedback's form, from which all variants take their pairs and demonstrations."""

    rows: PositiveInt
    """To train on, each about another instruction."""
    test_rows: PositiveInt
    """Held-out instructions that judges are tested on."""
    responders: Annotated[tuple[PositiveInt, ...], Field(min_length=2)]
    """Checkpoints of pre-training, by step; each gives one response to every instruction."""
    demonstrators: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """Those of them whose best response is the demonstration."""
    hedged: Share
    """Share of responses that say "I guess" or the like."""


class Jsft(Section):
    """The variants."""

    seeds: Seeds
    """Each trains every variant once; self-training begins with those of the first."""
    steps: Annotated[int, Field(ge=3)]
    """Of a model with demonstrations."""
    batch: PositiveInt
    """Examples per step."""
    rate: Share
    """Factor on the peak learning rates at which a cosine to 0 begins."""
    replay: NonNegativeFloat
    """Weight of the chosen response as a target within a judgment, where the choice has 1; 0 is the paper's."""

    def steps_of(self, variant: str) -> int:
        """A row gives two judgments and a demonstration: without the latter as many judgments take a third less."""
        return round(self.steps * 2 / 3) if variant == JUDGE_ONLY else self.steps


class LearningRates(Section):
    """Of each arm: one that suits pairs of its own samples may spoil another."""

    offline: PositiveFloat
    off_policy: PositiveFloat
    on_policy: PositiveFloat
    iterated: PositiveFloat


class SelfTraining(Section):
    """The arms of table 4, and the iterations of figure 5."""

    seeds: Seeds
    """Of each arm."""
    iteration_seeds: Seeds
    """Of the iterated runs."""
    iterations: Annotated[int, Field(ge=2)]
    prompts: PositiveInt
    """Rows of the training data whose prompts are sampled to, or whose pairs are learnt from offline."""
    epochs: PositiveFloat
    batch: PositiveInt
    rates: LearningRates
    lora: Lora
    decoding: Decoding


class Evaluation(Section):
    """What is measured, on held-out instructions."""

    questions: PositiveInt
    samples: PositiveInt
    """Answers per question of a policy without self-rejection."""
    sizes: Annotated[tuple[PositiveInt, ...], Field(min_length=2)]
    """The values of N in figure 4, ascending from 1."""


class PaperRecipe(Section):
    """All of it."""

    seed: int
    shape: Shape
    tokens: Tokens
    rates: Rates
    pretraining: Pretraining
    data: Data
    jsft: Jsft
    self_training: SelfTraining
    evaluation: Evaluation
