"""Configuration of preference learning, whatever its pairs come from. Defaults are the paper's (table 9)."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from selfjudge.adapters import PolicyName
from selfjudge_training.data.source import Source
from selfjudge_training.jsft import jsft_config
from selfjudge_training.jsft.jsft_config import Lora
from selfjudge_training.rollouts.base import Sampling
from selfjudge_training.run.config import Section
from selfjudge_training.run.named_model import ModelFolder

Share = Annotated[float, Field(ge=0, le=1)]
UnderHalf = Annotated[float, Field(ge=0, lt=0.5)]


class Prompts(Section):
    """What is sampled to, or, offline, whose pairs are learned from."""

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    """Preference sets, or prompts alone. Conversations are answered anew (A.1); responses of the sets count offline
    only, in pairs on the whole (under no principle)."""
    system: str | None = None
    """Message put before conversations without a system message: the default one of JSFT (table 11)."""


class Decoding(Section):
    """How the policy is sampled."""

    temperature: PositiveFloat = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    max_new_tokens: PositiveInt = 768
    samples: Annotated[int, Field(ge=2)] = 2
    """To each prompt. More than the paper's two need a template that scores: the best and the worst make the pair."""

    @property
    def sampling(self) -> Sampling:
        """As roll-outs take it."""
        return Sampling(self.temperature, self.top_p, self.max_new_tokens)


class EngineSettings(Section):
    """Of the engine; rank, longest sequence and precision of the weights are the run's and the model's own."""

    cache_gib: PositiveFloat | None = None
    """Memory for keys and values; has to hold at least one sequence of `max_tokens`. None: a quarter of what is free
    beside two copies of the weights, on a CPU 4 GiB at most."""


class ServerSettings(Section):
    """Where the server is."""

    at: str = "http://127.0.0.1:8000/v1"
    """Of one server, started with the store and with admin keys; not of a balancer over several, of which some would
    take up a version later than others."""
    key_variable: str = "SELFJUDGE_ADMIN_KEY"
    """Environment variable that holds an admin key of the server, which opens all of its routes."""
    requests_at_once: PositiveInt = 32
    """Requests under way at a time."""


class RollOutsSection(Section):
    """What runs the sampling and the judging."""

    backend: Literal["huggingface", "vllm", "server"] = "huggingface"
    """`vllm` holds a second copy of the weights; `server` is a running selfjudge server, and needs `publish`."""
    prompts_per_call: PositiveInt = 64
    """Prompts sampled and judged together. Calls are dealt out to the processes, so a step needs at least as many as
    there are processes; what is sampled depends on this number, not on theirs."""
    adapter_every: PositiveInt = 1
    """Steps after which engine or server is given the newest adapter; `huggingface` always samples from the newest."""
    engine: EngineSettings = EngineSettings()
    """Of `vllm`."""
    server: ServerSettings = ServerSettings()
    """Of `server`."""


class Publishing(Section):
    """Versions of the policy for servers, while it trains."""

    store: Path
    """Folder of the store, made where there is none."""
    policy: PolicyName
    """What requests call the policy."""
    every: PositiveInt | None = None
    """Steps between versions, from the start on; none: only the last one becomes a version. With the roll-outs of a
    server each adapter that it is given becomes one, so that this has to be left out."""


class Judgments(Section):
    """The frozen reference as the judge."""

    template: str = "ultrafeedback"
    """Judgment template that the model was trained on. One of documents compares two samples in both orders, under all
    of its principles; one that scores in place, such as `in-place-score`, is read once behind each sample."""
    templates: Path | None = None
    """Folder of judgment templates of your own."""
    weights: Literal["previous", "first"] = "previous"
    """Whose they are where there are several iterations: those of the model that the iteration starts from, as in
    section 5.3, or those of `model`, of which a second copy is then held."""
    least_margin: UnderHalf = 0.0
    """Pairs with |P(first is better) - 1/2| below it, or with scores that differ by less, are skipped, and counted."""


class Loss(StrEnum):
    """Objectives on preference orders; `beta` is the coefficient of table 9 in all of them."""

    DPO = "dpo"
    """-log sigmoid(beta * margin), Rafailov et al. 2023; the paper's choice (section 3.2)."""
    IPO = "ipo"
    """(margin per token - 1 / (2 * beta))^2, Azar et al. 2023; each response's log-ratio is divided by its length, as
    its authors did in their experiments (so TRL) and did not print."""
    HINGE = "hinge"
    """max(0, 1 - beta * margin): SLiC (Zhao et al. 2023) normalised by the reference, as Liu et al. 2023 have it."""


class Objective(Section):
    """What is minimised."""

    loss: Loss = Loss.DPO
    beta: PositiveFloat = 0.1
    label_smoothing: UnderHalf = 0.0
    """Share of labels taken to be wrong: so much of each pair's loss is that of the opposite order."""


class Optimisation(Section):
    """AdamW without weight decay, at a constant rate after a warm-up."""

    epochs: PositiveFloat = 3
    """Times each prompt, or pair, is met."""
    batch: PositiveInt = 64
    """Prompts, or pairs, per step."""
    learning_rate: PositiveFloat = 5e-6
    warm_up: Share = 0.1
    """Share of the steps in which the rate rises to its value."""
    betas: tuple[Share, Share] = (0.9, 0.999)
    clip: PositiveFloat = 1.0
    """Largest norm of the gradient."""


class Evaluation(Section):
    """Held-out pairs on which loss, reward margin and accuracy are measured while it trains; no judge plays a part."""

    pairs: tuple[Source, ...] = ()
    """Preference sets; none: nothing is measured."""
    every: PositiveInt = 50
    """Steps between two measurements, the first before training."""


class Machine(jsft_config.Hardware):
    """What the hardware decides, with no part in the method."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the frozen weights and of those that come out; the adapter is trained in float32."""
    micro_batch: PositiveInt = 8
    """Pairs that go through the model together, in each process; gradients are averaged over all of a step's pairs."""
    checkpoint_every: PositiveInt = 50
    """Optimizer steps between checkpoints; the last two are kept."""


class SelfTrainingConfig(Section):
    """One run, or several in a row (section 5.3)."""

    model: ModelFolder
    """Model folder that JSFT made, or `selfjudge-tiny`: initial policy, reference and judge."""
    architecture: str = "llama"
    """Its model type in Transformers; of this a dry run makes a tiny model with random weights."""
    seed: int = 0
    max_tokens: PositiveInt = 2048
    """Longest sequence: a prompt with its response, or a judgment. Pairs of data sets lose the ends of responses."""
    arm: Literal["on-policy", "off-policy", "offline"] = "on-policy"
    """Where the pairs come from (table 4): the policy as it is, sampled at every step; the initial policy, sampled
    once; or the data sets themselves, judged by those who labelled them."""
    iterations: PositiveInt = 1
    """Each begins with a fresh adapter over what the one before it made."""
    prompts: Prompts
    lora: Lora = Lora()
    """The policy's adapter over the weights of reference and judge."""
    decoding: Decoding = Decoding()
    rollouts: RollOutsSection = RollOutsSection()
    publish: Publishing | None = None
    judge: Judgments = Judgments()
    objective: Objective = Objective()
    optimisation: Optimisation = Optimisation()
    evaluation: Evaluation = Evaluation()
    machine: Machine = Machine()

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        publish, server = self.publish, self.rollouts.backend == "server"
        for key, steps in (
            ("rollouts.adapter_every", self.rollouts.adapter_every),
            ("publish.every", publish and publish.every),
        ):
            if steps and self.machine.checkpoint_every % steps:
                raise ValueError(
                    f"'machine.checkpoint_every' ({self.machine.checkpoint_every}) should be a multiple of {key!r} "
                    f"({steps}): a resumed run goes on with the adapter of its checkpoint"
                )
        if server and publish is None:
            raise ValueError("'rollouts.backend' server needs 'publish': the store and the policy it samples from")
        if server and publish and publish.every is not None:
            raise ValueError(
                "'publish.every' should be left out with 'rollouts.backend' server, where each adapter that is "
                "handed over becomes a version: set 'rollouts.adapter_every'"
            )
        if publish and self.iterations > 1:
            raise ValueError(
                f"'iterations' ({self.iterations}) should be 1 with 'publish': each iteration trains on a base model "
                "of its own, and servers have one"
            )
        return self
