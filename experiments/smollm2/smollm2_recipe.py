"""The recipe of the judge model: every number that decides what comes out."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from selfjudge_training.run.config import Section
from selfjudge_training.run.named_model import ModelFolder

Share = Annotated[float, Field(ge=0, le=1)]


class Sampling(Section):
    """What a model answers to the tasks of a round."""

    tasks: PositiveInt
    """Tasks of the training part; no two rounds share one."""
    samples: PositiveInt
    """Answers to each task."""
    bare: NonNegativeInt = 0
    """Answers to each task's request without its constraints: they are edited until they keep these."""
    temperature: PositiveFloat = 0.7
    garbled: Share = 0.0
    """Share of the tasks that are answered once more at a temperature at which the model loses the thread."""
    garbled_temperature: PositiveFloat = 1.6
    max_new_tokens: PositiveInt = 128


class Rows(Section):
    """What is learned of the answers to one task."""

    right: PositiveInt
    """Most answers that keep all constraints, sampled ones first, edited ones to make up for those that lack."""
    wrong: PositiveInt
    """Most answers that break one, sampled ones first."""
    broken: Share
    """Share of the tasks that get a right answer with one constraint broken by an edit. These are the hardest to tell
    from right ones."""
    off_topic: Share
    """Share of the tasks that get a right answer of another request, edited to keep their constraints: wrong."""
    pairs: Share
    """Share of the tasks that give a pair, right against wrong, to the judgments of two responses."""


class Training(Section):
    """JSFT of one round, by the recipe `jsft-smollm2`; the rest of its numbers stand there."""

    learning_rate: PositiveFloat
    epochs: PositiveInt = 1


class Round(Section):
    """Sample, verify, train. From the second round on the judge so far scores the answers, to be mined."""

    sampling: Sampling
    rows: Rows
    training: Training
    fooled: PositiveInt = 1
    """How many times an answer that fools the judge is shown, right ones and wrong ones alike."""


class Smollm2Recipe(Section):
    """The whole run."""

    seed: int
    base: ModelFolder
    """What the first round starts from."""
    rounds: Annotated[tuple[Round, ...], Field(min_length=1)]
    watched: PositiveInt
    """Tasks of each round that it does not train on: how their rows are judged is measured while it trains."""
    prompts: PositiveInt
    """Instructions for self-training, beyond those of the rounds."""
    iterations: PositiveInt
    """Of self-training, by the recipe `self-train-smollm2`, each beginning with what the one before it made."""
