"""Configuration of `selfjudge-train jsft`; defaults are the paper's (table 9, column Initial) where it has any."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from selfjudge_training.data.source import Source
from selfjudge_training.run.config import Section
from selfjudge_training.run.named_model import ModelName

Share = Annotated[float, Field(ge=0, lt=1)]


class Start(Section):
    """The model that training starts from."""

    path: ModelName
    """A model folder, `selfjudge-tiny` for the one that ships, or a model's name on the hub."""
    architecture: str
    """Its model type in Transformers, such as `llama`; of this a dry run makes a tiny model with random weights."""


class Data(Section):
    """The JSFT set: D_SFT and D_Judge (section 3.1)."""

    demonstrations: tuple[Source, ...] = ()
    """Of D_SFT. None: the judge-only model of table 2."""
    pairs: tuple[Source, ...] = ()
    """Of D_Judge, each judged in both orders (A.3). None: plain supervised fine-tuning."""
    scores: tuple[Source, ...] = ()
    """Responses that are right or not (format `scored`), each judged in place by `score_template`."""
    template: str | tuple[str, ...] = ()
    """Judgment template of pairs: `hh-helpful`, `ultrafeedback`, `ultrafeedback-principle` (JM-P),
    `ultrafeedback-principle-rationale` (JM-PR), `in-place-pair`, or one of yours. A list of templates without
    principles: each pair is judged by each."""
    score_template: str = "in-place-score"
    """Of `scores`."""
    demonstration_weight: NonNegativeFloat = 1.0
    """Weight of a scored row's response where the row has `demonstrate`, beside the label's of 1: of the whole response
    with `weighting: examples`, else of each of its tokens."""
    templates: Path | None = None
    """Folder of judgment templates of your own."""
    system: str | None = None
    """System message of demonstrations that have none (table 11)."""
    max_length: PositiveInt = 2048
    """Longest example, in tokens."""
    replay: NonNegativeFloat = 0.0
    """Weight of the chosen response within a judgment of a pair as a further target (of a pair in place where it is
    the answer given); 0 is the paper's. A model that starts from
    little keeps by it what it knew of right answers, where the judge needs it."""
    strict: bool = False
    """Stop at the first malformed row instead of counting it."""

    @model_validator(mode="after")
    def _has_something(self) -> Self:
        if not self.demonstrations and not self.pairs and not self.scores:
            raise ValueError("give at least one source under 'demonstrations', 'pairs' or 'scores'")
        if self.pairs and not self.template:
            raise ValueError("give the 'template' by which pairs are judged")
        return self

    @property
    def named_templates(self) -> tuple[str, ...]:
        """Those of pairs, each once."""
        named = (self.template,) if isinstance(self.template, str) else self.template
        return tuple(dict.fromkeys(named))


class Optimisation(Section):
    """How the weights are changed; gradients are clipped."""

    epochs: PositiveInt = 1
    steps: PositiveInt | None = None
    """Optimizer steps, if these should be fewer than the epochs have."""
    batch: PositiveInt = 128
    """Examples of an optimizer step, over all processes; an epoch leaves out the last ones that fill no batch."""
    micro_batch: PositiveInt = 4
    """Examples that a process computes at once; times the number of processes it must divide `batch`."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """`muon`: Muon (Jordan et al. 2024) for the matrices of the layers, AdamW for all else. In our trials a small model
    that had never judged learned it by Muon, and stayed at chance by AdamW."""
    learning_rate: PositiveFloat = 2e-5
    """Of AdamW."""
    matrix_learning_rate: PositiveFloat = 6e-3
    """Of Muon."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Of the learning rate after the warm-up; the first two fall to 0."""
    warm_up: Share = 0.03
    """Share of the steps in which the learning rate rises."""
    beta1: Share = 0.9
    beta2: Share = 0.999
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: PositiveFloat = 1.0
    """Largest norm of the gradient."""
    weighting: Literal["tokens", "examples"] = "tokens"
    """What counts alike. `tokens` is the paper's: the mean over all targets of a batch. A choice token is one target
    beside all those of the dialogues, and the longer these are the less it counts: small models that had never judged
    stayed at chance in our trials, while the shipped model, trained further on its own short dialogues, learned as much
    either way (0.92 of choices right against 0.91 after 93 steps). `examples`: a dialogue weighs 1, its targets sharing
    that weight; so does a judgment's choice token, and what follows it together, be it a rationale or only the end of
    the turn."""


class Lora(Section):
    """Low-rank adapters (table 9, column LoRA), merged into the weights at the end, and kept beside them."""

    rank: PositiveInt = 8
    alpha: PositiveInt = 16
    dropout: Share = 0.1
    """Of the adapter. A model's own dropout is on in JSFT, as in any fine-tuning, and off where a reference shares its
    weights: in self-training, off-policy training and offline DPO."""
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """Names of the modules that get an adapter."""


class Hardware(Section):
    """What the hardware decides, with no part in the method, in all training."""

    attn_implementation: str | None = None
    """As Transformers names it (`sdpa`, `flash_attention_2`, ...); none: its own choice."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the arithmetic and of the weights that come out; those in training are float32 in any case."""
    gradient_checkpointing: bool = False
    """Compute activations twice rather than hold them."""
    checkpoint_every: PositiveInt = 100
    """Optimizer steps between checkpoints; the last two are kept."""
    trackers: tuple[str, ...] = ("tensorboard",)
    """Where figures go besides metrics.jsonl, as Accelerate names it: `tensorboard`, `wandb`, `mlflow`, ..."""


class Machine(Hardware):
    """The same for JSFT."""

    log_every: PositiveInt = 10
    """Optimizer steps of which a line of metrics is the mean."""
    adapter_precision: Literal["float32", "bfloat16"] = "float32"
    """Of the file that keeps the adapter, where one is trained; `bfloat16` halves it."""


class Evaluation(Section):
    """Held-out pairs and responses that are judged while the model trains."""

    pairs: tuple[Source, ...] = ()
    """Preference sets; where there are neither these nor scores, nothing is measured."""
    scores: tuple[Source, ...] = ()
    """Sets of scored responses."""
    every: PositiveInt = 100
    """Steps between two measurements."""

    @property
    def measures(self) -> bool:
        """Whether there is anything to measure on."""
        return bool(self.pairs or self.scores)


class JsftConfig(Section):
    """A run of JSFT."""

    seed: int = 0
    """Decides the order of the examples, new weights, dropout, and which rejected responses are drawn."""
    start: Start
    data: Data
    evaluation: Evaluation = Evaluation()
    optimisation: Optimisation = Optimisation()
    lora: Lora | None = None
    """Nothing: full fine-tuning, as the paper does."""
    machine: Machine = Machine()
