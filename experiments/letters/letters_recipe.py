"""The recipe of a model: every number that decides what comes out, and nothing else."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from selfjudge_training.run.config import Section

Share = Annotated[float, Field(ge=0, le=1)]
Steps = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


class Shape(Section):
    """The size of a Llama with tied embeddings."""

    width: PositiveInt
    layers: PositiveInt
    heads: PositiveInt
    """Must divide the width into heads of an even number of channels."""
    inner_width: PositiveInt
    """Of the gated feed-forward layers."""
    context: PositiveInt
    """Longest sequence, in tokens."""


class Tokens(Section):
    """The tokenizer."""

    vocabulary: PositiveInt
    """Most tokens; fewer where nothing is left to merge."""
    problems: PositiveInt
    """How many problems' instructions it is trained on."""


class Rates(Section):
    """Peak learning rates."""

    matrices: PositiveFloat
    """Muon's, for the weight matrices of the layers."""
    others: PositiveFloat
    """AdamW's, for embeddings and norms."""


class Pretraining(Section):
    """Dialogues, and right answers within judgments."""

    steps: PositiveInt
    batch: PositiveInt
    """Documents per step."""
    warm_up: PositiveInt
    decay: PositiveInt
    """Steps of the cosine at the end."""
    floor: Share
    """Factor on the learning rates to which the cosine falls."""
    early_layer: PositiveInt
    """Layer whose output, too, must predict right answers."""
    early_weight: NonNegativeFloat
    checkpoints: Steps
    """Steps after which a weak checkpoint is kept."""


class Sampling(Section):
    """Samples of the weak checkpoints, the raw material of preference pairs."""

    prompts: PositiveInt
    demonstrators: Steps
    """Checkpoints that give demonstrations, in turn: the better of two samples at temperature 1."""
    checkpoints: Steps
    """Checkpoints whose samples are the rejected responses."""
    temperatures: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)]
    """Of these samples, in turn."""
    samples: PositiveInt
    """Per prompt and checkpoint."""


class Finetuning(Section):
    """One round of JSFT."""

    steps: PositiveInt
    pairs: PositiveInt
    """Preference pairs per step, each judged in both orders."""
    dialogues: PositiveInt
    """Demonstrations per step."""
    graded_share: Share
    """Share of pairs of two wrong answers, told apart by their grades."""
    least_gap: Share
    """Least difference of grade in these."""
    rate: Share
    """Factor on the peak learning rates."""
    schedule: Literal["cosine", "linear", "constant"]
    """Of the learning rate."""
    attack_share: Share
    """Share of pairs whose rejected response is dressed up as an attack."""
    replay: NonNegativeFloat
    """Weight of the chosen response as a target within a judgment; 0 is the paper's."""
    emphasis: NonNegativeFloat
    """Before the round, pairs are weighted 1 + emphasis * P(the judge prefers the wrong answer)."""
    own_prompts: NonNegativeInt
    """Prompts to which the current model is sampled for further rejected responses, before the round."""
    own_samples: PositiveInt
    """Per such prompt, at temperature 1."""


class Recipe(Section):
    """All of it."""

    seed: int
    shape: Shape
    tokens: Tokens
    rates: Rates
    pretraining: Pretraining
    sampling: Sampling
    rounds: Annotated[tuple[Finetuning, ...], Field(min_length=1)]
    """JSFT rounds in order."""
