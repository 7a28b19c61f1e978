"""The plan of the evidence: every number that decides what is measured, of which models, on what."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from selfjudge_training.rollouts.base import Sampling
from selfjudge_training.run.config import Section
from selfjudge_training.run.named_model import ModelFolder

BASE, JM = "base", "jm"
"""The model that all begins with, and the judge model that JSFT makes of it; the others are trained from the latter."""

Form = Literal["score", "document", "pair"]
"""Of a judgment: the score in place, the paper's document of two responses, the pair in place."""

COMPARING: tuple[Form, ...] = ("document", "pair")
FORMS: tuple[Form, ...] = ("score", *COMPARING)


class Decoding(Section):
    """How answers are sampled."""

    temperature: PositiveFloat
    max_new_tokens: PositiveInt

    @property
    def sampling(self) -> Sampling:
        """As roll-outs take it; without top-p, which sorts the vocabulary for every token on a CPU."""
        return Sampling(self.temperature, 1.0, self.max_new_tokens)


class Model(Section):
    """One model, and what is measured of it."""

    path: ModelFolder
    """Its folder; where there is none, it is not measured yet."""
    samples: PositiveInt
    """Answers to each held-out task."""
    tournaments: tuple[Form, ...] = ()
    """Forms that compare, by which it picks among its own answers; by score it does so anyway."""
    reference: str | None = None
    """The model that it was trained by, which also picks among its answers, by score."""
    ifeval: PositiveInt
    """Rounds of answers to IFEval's prompts."""

    @model_validator(mode="after")
    def _fills_brackets(self) -> Self:
        if self.samples.bit_count() != 1:
            raise ValueError(f"samples: should be a power of two, which fills a bracket, not {self.samples}")
        return self


class Tasks(Section):
    """The held-out tasks."""

    prompts: PositiveInt
    decoding: Decoding
    pairs: PositiveInt
    """Most pairs of a right and a wrong answer to one task, of those by JM, that judges are measured on."""
    matches: PositiveInt
    """Tasks with right and wrong answers whose tournaments are held by forms that compare."""


class IfEval(Section):
    """The benchmark, by its public verifiers."""

    path: Path | None = None
    """JSON lines with `key`, `prompt`, `instruction_id_list` and `kwargs`; none: google/IFEval from the hub."""
    prompts: PositiveInt
    """The first so many."""
    per_round: PositiveInt
    """Answers to each prompt in a round; a model's first round comes before another's second."""
    decoding: Decoding


class Chat(Section):
    """Whether JSFT costs anything elsewhere."""

    llmbar: Path | None = None
    """Folder of LLMBar's JSON files."""
    categories: tuple[str, ...]
    """Those that are judged: names of LLMBar's files."""
    questions: Path | None = None
    """MT-Bench's questions."""
    pairs: PositiveInt
    """Of each category, the first so many."""
    turns: PositiveInt
    """Questions, the first so many."""
    best_of: PositiveInt
    decoding: Decoding


class HotSwap(Section):
    """Requests to a running server before and after an adapter is published into it."""

    adapter: Path
    """The folder of the self-training run whose adapter is published; its policy is that adapter on JM."""
    prompts: PositiveInt
    samples: PositiveInt


class EvidencePlan(Section):
    """Everything."""

    seed: int
    models: Annotated[dict[str, Model], Field(min_length=1)]
    tasks: Tasks
    ifeval: IfEval
    chat: Chat
    hot_swap: HotSwap

    @model_validator(mode="after")
    def _knows_its_models(self) -> Self:
        wanted = {BASE, JM, *(model.reference for model in self.models.values() if model.reference)}
        if lacking := wanted - self.models.keys():
            raise ValueError(f"models: {', '.join(sorted(lacking))} should be among them")
        return self
