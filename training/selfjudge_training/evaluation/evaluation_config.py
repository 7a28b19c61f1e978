"""Configurations of `selfjudge-train evaluate judge` and `evaluate policy`."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from selfjudge_training.data.source import Source
from selfjudge_training.rollouts.base import Sampling
from selfjudge_training.run.config import Section
from selfjudge_training.run.named_model import ModelName


def _folder_name(folder: Path) -> str:
    """A folder's own name; that of the run where it is what a run leaves behind, always called the same."""
    return folder.parent.name if folder.name in ("model", "adapter") and folder.parent.name else folder.name


class _Remote(Section):
    model: str | None = None
    """Name of the model at the address."""
    key_variable: str | None = None
    """Environment variable that holds the API key; no key is sent where there is none."""


class JudgeSource(_Remote):
    """Who judges. A selfjudge server takes its base model where there is no `model`."""

    kind: Literal["folder", "server", "chat", "answers"]
    """`folder`: a model folder, run here. `server`: a selfjudge server. `chat`: any OpenAI-compatible endpoint, by what
    it answers. `answers`: the right answers that the questions' file holds."""
    at: ModelName = ""
    """The folder, `selfjudge-tiny` for the model that ships, or the base address up to and with `/v1`; nothing for
    `answers`."""
    template: str = "ultrafeedback"
    """Judgment template; one with principles judges a pair under its own, or under all."""
    max_tokens: PositiveInt = 1024
    """Longest answer of a `chat` judge."""

    @property
    def name(self) -> str:
        """What reports call the judge."""
        return self.model or (_folder_name(Path(self.at)) if self.kind == "folder" else self.at)

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if (self.kind == "answers") != (not self.at):
            raise ValueError("'at' should be a folder or an address, and nothing for kind 'answers'")
        if self.kind == "chat" and self.model is None:
            raise ValueError("kind 'chat' needs 'model', the name of the model at the address")
        return self


class PolicySource(_Remote):
    """Who answers."""

    kind: Literal["folder", "server", "outputs"]
    """`folder`: a model folder, run here. `server`: any OpenAI-compatible endpoint. `outputs`: a file in AlpacaEval's
    format, whose answers were given before."""
    at: Annotated[ModelName, Field(min_length=1)]
    """The folder (`selfjudge-tiny`: the model that ships), the base address up to and with `/v1`, or the file."""
    adapter: Path | None = None
    """A PEFT folder that a model folder samples with."""

    @property
    def name(self) -> str:
        """What outputs and reports call the policy."""
        name = self.model or _folder_name(Path(self.at))
        return f"{name}+{_folder_name(self.adapter)}" if self.adapter else name

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind == "server" and self.model is None:
            raise ValueError("kind 'server' needs 'model', the name of the model at the address")
        if self.kind != "folder" and self.adapter is not None:
            raise ValueError("'adapter' goes with kind 'folder'; a server knows an adapter by its name, 'model'")
        return self


class Decoding(Section):
    """How responses are sampled; the paper's values for sampling (section 3.2)."""

    temperature: NonNegativeFloat = 1.0
    """0 is greedy decoding."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    max_new_tokens: PositiveInt = 512

    @property
    def sampling(self) -> Sampling:
        """As roll-outs take it."""
        return Sampling(self.temperature, self.top_p, self.max_new_tokens)


class SampledPairs(Section):
    """Pairs of the right answer and each different wrong one that a policy samples."""

    questions: Path
    """A question file with an `answer` in every row."""
    samples: PositiveInt
    """Per question."""
    policy: PolicySource
    decoding: Decoding = Decoding()

    @model_validator(mode="after")
    def _samples(self) -> Self:
        if self.policy.kind == "outputs":
            raise ValueError("'policy' should be a folder or a server, which can be sampled")
        return self


class JudgeConfig(Section):
    """Who judges what. At least one of the sets is needed."""

    seed: int
    judge: JudgeSource
    llmbar: Path | None = None
    """Folder of LLMBar's JSON files."""
    pairs: tuple[Source, ...] = ()
    """Preference files, or sets on the hub."""
    sampled: SampledPairs | None = None

    @model_validator(mode="after")
    def _has_a_set(self) -> Self:
        if self.llmbar is None and self.sampled is None and not self.pairs:
            raise ValueError("nothing to judge: give one of 'llmbar', 'pairs', 'sampled'")
        if self.judge.kind == "answers":
            raise ValueError("'judge.kind' should be folder, server or chat: answers are what a judge is measured by")
        return self


class SweepSection(Section):
    """Self-rejection over N."""

    sizes: Annotated[list[PositiveInt], Field(min_length=1)]
    """The values of N."""
    groups: PositiveInt = 1
    """Groups of N measured per question, where the samples of the largest N give so many."""
    judge: JudgeSource | None = None
    """Who judges the tournaments; where there is none, the policy itself: its folder without adapter, or its server."""
    template: str = "ultrafeedback"
    """Judgment template where the policy judges itself."""


class PolicyConfig(Section):
    """Who answers what, compared with whom by whom."""

    seed: int
    policy: PolicySource
    decoding: Decoding = Decoding()
    questions: Path
    """AlpacaEval's, VicunaEval's or MT-Bench's questions; rows with an `answer` are checked for exact match."""
    baseline: Path | None = None
    """Outputs of another model in AlpacaEval's format; where there is none, only a sweep gives win rates, against one
    more sample of the policy."""
    judge: JudgeSource
    """Who compares outputs with the baseline's."""
    sweep: SweepSection | None = None

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.policy.kind == "outputs" and self.sweep is not None:
            raise ValueError("a 'sweep' needs a policy that can be sampled: a folder or a server")
        return self
