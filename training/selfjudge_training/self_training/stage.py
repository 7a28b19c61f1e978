"""Self-training put together: from a configuration and a folder to the loop's parts, and at the end a model folder.

Also serves runs that differ from on-policy training in their source only (`selfjudge_training.arms.off_policy`).
"""

import gc
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from peft import PeftModel
from transformers import AutoConfig

from selfjudge import Chat, JudgmentEncoder, load_templates
from selfjudge_training.rollouts.base import RollOuts
from selfjudge_training.rollouts.engine import EngineRollOuts
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.rollouts.judge import Judge
from selfjudge_training.rollouts.server import ServerRollOuts
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.endpoint import Endpoint
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.run.named_model import require_context, require_folder
from selfjudge_training.run.processes import make_accelerator
from selfjudge_training.self_training.config import SelfTrainingConfig
from selfjudge_training.self_training.exchange import AdapterExchange, Taker
from selfjudge_training.self_training.learner import Learner
from selfjudge_training.self_training.loop import Loop, steps_of
from selfjudge_training.self_training.policy import load_policy, load_tokenizer, save_adapter, save_merged
from selfjudge_training.self_training.prompts import Prompt, gather_prompts
from selfjudge_training.self_training.publisher import Publisher
from selfjudge_training.self_training.sources import OnPolicy, Source

MODEL, ADAPTER = "model", "adapter"
"""What a run leaves in its folder: the merged model, and the adapter alone."""


def self_train(config: SelfTrainingConfig, output: Path) -> Path:
    """Run all iterations, each in a folder of its own where there are several; returns the last one's model folder.

    What was interrupted goes on, what is there already is not done again. May be called in each of several processes
    that `accelerate launch` started.
    """
    if config.iterations == 1:
        return _train_on_policy(config, output)
    model = config.model
    for number in range(1, config.iterations + 1):
        one = config.model_copy(update={"model": model, "iterations": 1, "seed": config.seed + number - 1})
        model = _train_on_policy(one, output / f"iteration-{number}")
        gc.collect()  # modules refer to each other; the next iteration has no room for this one's
    return model


def _train_on_policy(config: SelfTrainingConfig, output: Path) -> Path:
    accelerator = make_accelerator()
    folder = open_folder(config, output, accelerator)
    if is_finished(output):
        return output / MODEL
    # The parts have no name here: vLLM keeps the frames that start an engine, and what has a name in them.
    return _train_parts(config, Parts.make(config, accelerator, output), folder, output)


def _train_parts(config: SelfTrainingConfig, parts: "Parts", folder: RunFolder, output: Path) -> Path:
    with closing(parts):
        takers = samplers(config, parts)
        if config.rollouts.backend != "server":  # where what is handed over is published
            takers += publishers(config, output)
        return train(config, parts, folder, parts.on_policy, takers)


def samplers(config: SelfTrainingConfig, parts: "Parts") -> list[Taker]:
    """The back end, where it samples with adapters that it is handed. A server goes on serving the last one."""
    backend = config.rollouts.backend
    if backend == "huggingface":
        return []
    return [Taker(parts.rollouts.use_adapter, config.rollouts.adapter_every, last=backend == "server")]


def publishers(config: SelfTrainingConfig, output: Path) -> list[Taker]:
    """The store that is to get versions, if there is one."""
    if config.publish is None:
        return []
    return [Taker(Publisher(config, output).publish, config.publish.every, last=True)]


def open_folder(config: SelfTrainingConfig, output: Path, accelerator: Accelerator) -> RunFolder:
    """The folder of a run, the same for all processes.

    Raises ConfigError where it is another run's, and where the run has no model to start from.
    """
    if not is_finished(output):
        require_folder(config.model, "model")
    with accelerator.main_process_first():
        return RunFolder.open(output, config, seed=config.seed, main=accelerator.is_main_process)


def is_finished(output: Path) -> bool:
    """Whether the run in this folder has left its model."""
    return (output / MODEL).is_dir()


@dataclass(frozen=True)
class Parts:
    """What a run is made of."""

    accelerator: Accelerator
    policy: PeftModel
    rollouts: RollOuts
    prompts: list[Prompt]
    on_policy: OnPolicy

    @classmethod
    def make(cls, config: SelfTrainingConfig, accelerator: Accelerator, output: Path) -> "Parts":
        """Load and make everything for a run in a folder. Raises ConfigError and the errors of what it calls."""
        # An engine first, while there is no policy yet that its frames could keep.
        engine = _start_engine(config, accelerator) if config.rollouts.backend == "vllm" else None
        return cls._make(config, accelerator, output, engine)

    @classmethod
    def _make(
        cls, config: SelfTrainingConfig, accelerator: Accelerator, output: Path, engine: EngineRollOuts | None
    ) -> "Parts":
        policy = load_policy(config, accelerator.device)
        rollouts = engine or _make_rollouts(config, policy, output)
        if config.max_tokens > rollouts.context:
            raise ConfigError(
                f"max_tokens: {config.max_tokens} is more than the context of {rollouts.context} that roll-outs have"
            )
        chat = rollouts.chat
        longest = config.max_tokens - config.decoding.max_new_tokens
        gathered = gather_prompts(chat, config.prompts, longest=longest, seed=config.seed)
        if accelerator.is_main_process:
            for line in gathered.account:
                print(line)
            print(f"{len(gathered.prompts):,} prompts; {gathered.too_long:,} left out as longer than {longest} tokens")
        judge = Judge(rollouts, _encoders(config, chat))
        on_policy = OnPolicy(rollouts, judge, gathered.prompts, config.decoding.sampling, config.judge.least_margin)
        return cls(accelerator, policy, rollouts, gathered.prompts, on_policy)

    def close(self) -> None:
        """Give back what roll-outs hold; nothing can be sampled or judged afterwards. The policy stays."""
        if isinstance(self.rollouts, EngineRollOuts | ServerRollOuts):
            self.rollouts.close()


def train(config: SelfTrainingConfig, parts: Parts, folder: RunFolder, source: Source, takers: Sequence[Taker]) -> Path:
    """Train on what a source gives, and write adapter and merged model; returns the model folder."""
    steps = steps_of(config, len(parts.prompts))
    exchange = AdapterExchange(parts.policy, folder.path / "adapters", parts.accelerator, takers)
    learner = Learner(
        parts.policy,
        parts.accelerator,
        config.objective,
        config.optimisation,
        micro_batch=config.machine.micro_batch,
        steps=steps,
        seed=config.seed,
    )
    Loop(config, parts.accelerator, folder, learner, source, prompts=len(parts.prompts), exchange=exchange).run()
    exchange.finish(steps)
    if parts.accelerator.is_main_process:
        save_adapter(parts.policy, folder.path / ADAPTER)
        save_merged(parts.policy, parts.rollouts.chat.tokens.source, folder.path / MODEL)
    parts.accelerator.wait_for_everyone()
    return folder.path / MODEL


def _make_rollouts(config: SelfTrainingConfig, policy: PeftModel, output: Path) -> RollOuts:
    if config.rollouts.backend == "huggingface":
        return HuggingFaceRollOuts(policy, load_tokenizer(config.model))
    server = config.rollouts.server
    endpoint = Endpoint(server.at, server.key_variable, at_once=server.requests_at_once)
    return ServerRollOuts(load_tokenizer(config.model), endpoint, Publisher(config, output).publish)


def _start_engine(config: SelfTrainingConfig, accelerator: Accelerator) -> EngineRollOuts:
    if accelerator.num_processes > 1:
        raise ConfigError("rollouts.backend: vllm runs in a single process; under accelerate launch take huggingface")
    require_context(AutoConfig.from_pretrained(config.model), config.max_tokens, "max_tokens")
    longest = config.rollouts.engine.max_tokens or config.max_tokens
    settings = config.rollouts.engine.model_copy(update={"lora_rank": config.lora.rank, "max_tokens": longest})
    return EngineRollOuts(config.model, settings)


def _encoders(config: SelfTrainingConfig, chat: Chat) -> list[JudgmentEncoder]:
    """One for each principle of the template, or one where it has none."""
    templates = load_templates()
    if config.judge.template not in templates:
        raise ConfigError(f"judge.template: {config.judge.template!r} is unknown; known are {', '.join(templates)}")
    template = templates[config.judge.template]
    return [
        JudgmentEncoder(chat, template, principle, max_tokens=config.max_tokens - 1)
        for principle in template.principles or (None,)
    ]
