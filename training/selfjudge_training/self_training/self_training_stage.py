"""Preference learning put together: from a configuration and a folder to the loop's parts, at the end a model folder.

The arms of table 4 differ in their source of pairs, and in nothing else.
"""

import gc
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from peft import PeftModel
from torch.nn import Module
from transformers import AutoConfig

from selfjudge import Chat, JudgmentEncoder, SafeTokenizer, load_templates
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
from selfjudge_training.self_training.buffer import given_buffer, held_out_pairs, sampled_buffer
from selfjudge_training.self_training.exchange import AdapterExchange, Publisher, Taker
from selfjudge_training.self_training.learner import Learner
from selfjudge_training.self_training.loop import Loop, steps_of
from selfjudge_training.self_training.pairs import OnPolicy, PairSource
from selfjudge_training.self_training.policy import load_base, load_policy, load_tokenizer, save_adapter, save_merged
from selfjudge_training.self_training.prompts import gather_prompts
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig

MODEL, ADAPTER, ADAPTERS = "model", "adapter", "adapters"
"""What a run leaves in its folder: the merged model, the adapter alone, and those handed out on the way."""


def self_train(config: SelfTrainingConfig, output: Path) -> Path:
    """Run all iterations, each in a folder of its own where there are several; returns the last one's model folder.

    What was interrupted goes on, what is there already is not done again. May be called in each of several processes
    that `accelerate launch` started. Raises ConfigError and DataError.
    """
    if config.iterations == 1:
        return _iterate_once(config, output, config.model)
    if config.arm == "offline":
        raise ConfigError(f"iterations: should be 1 offline, where nothing is sampled anew, not {config.iterations}")
    model = config.model
    for number in range(1, config.iterations + 1):
        one = config.model_copy(update={"model": model, "iterations": 1, "seed": config.seed + number - 1})
        judge = config.model if config.judge.weights == "first" else model
        model = _iterate_once(one, output / f"iteration-{number}", judge)
        gc.collect()  # modules refer to each other; the next iteration has no room for this one's
    return model


def _iterate_once(config: SelfTrainingConfig, output: Path, judge: Path) -> Path:
    accelerator = make_accelerator()
    finished, begun = (output / MODEL).is_dir(), RunFolder.is_begun(output)
    if not finished:
        require_folder(config.model, "model")
    with accelerator.main_process_first():
        folder = RunFolder.open(output, config, seed=config.seed, trackers=config.machine.trackers)
    if finished:
        return output / MODEL
    return _Run(config, accelerator, folder, judge, begun).finish()


@dataclass(frozen=True)
class Sampling:
    """What an arm that samples is made of; `close` gives back what the roll-outs hold."""

    policy: PeftModel
    rollouts: RollOuts
    source: OnPolicy

    @classmethod
    def make(cls, config: SelfTrainingConfig, accelerator: Accelerator, output: Path, judge: Path) -> "Sampling":
        """Load and make everything. Raises ConfigError and the errors of what it calls."""
        # An engine first, while there is no policy yet that its frames could keep.
        engine = _start_engine(config, accelerator) if config.rollouts.backend == "vllm" else None
        return cls._make(config, accelerator, output, judge, engine)

    @classmethod
    def _make(
        cls,
        config: SelfTrainingConfig,
        accelerator: Accelerator,
        output: Path,
        judge: Path,
        engine: EngineRollOuts | None,
    ) -> "Sampling":
        policy = load_policy(config, accelerator.device)
        rollouts = engine or _make_rollouts(config, policy, output)
        if config.max_tokens > rollouts.context:
            raise ConfigError(
                f"max_tokens: {config.max_tokens} is more than the context of {rollouts.context} that roll-outs have"
            )
        longest = config.max_tokens - config.decoding.max_new_tokens
        gathered = gather_prompts(rollouts.chat, config.prompts, longest=longest)
        if accelerator.is_main_process:
            print(*gathered.account, sep="\n")
            print(f"{len(gathered.prompts):,} prompts; {gathered.too_long:,} left out as longer than {longest} tokens")
        judging = rollouts if judge == config.model else _load_judge(config, judge, accelerator)
        made = Judge(judging, _encoders(config, rollouts.chat))
        return cls(
            policy,
            rollouts,
            OnPolicy(rollouts, made, gathered.prompts, config.decoding.sampling, config.judge.least_margin),
        )

    def takers(self, config: SelfTrainingConfig) -> list[Taker]:
        """The back end, where it samples with adapters that it is handed. A server goes on serving the last one."""
        backend = config.rollouts.backend
        if backend == "huggingface":
            return []
        return [Taker(self.rollouts.use_adapter, config.rollouts.adapter_every, last=backend == "server")]

    def close(self) -> None:
        """Nothing can be sampled or judged afterwards. The policy stays."""
        if isinstance(self.rollouts, EngineRollOuts | ServerRollOuts):
            self.rollouts.close()


@dataclass(frozen=True)
class _Run:
    """One iteration in its folder."""

    config: SelfTrainingConfig
    accelerator: Accelerator
    folder: RunFolder
    judge: Path
    begun: bool

    def finish(self) -> Path:
        """Train, and write adapter and merged model; returns the model folder."""
        if self.config.arm == "offline":
            return self._train_given()
        # It has no name here: vLLM keeps the frames that start an engine, and what has a name in them.
        return self._train_sampled(Sampling.make(self.config, self.accelerator, self.folder.path, self.judge))

    def _train_given(self) -> Path:
        config = self.config
        require_context(AutoConfig.from_pretrained(config.model), config.max_tokens, "max_tokens")
        chat = Chat(SafeTokenizer(load_tokenizer(config.model)))
        buffer = given_buffer(config, chat, self.folder.path, begun=self.begun)
        return self._train(load_policy(config, self.accelerator.device), chat, buffer, self._publishers())

    def _train_sampled(self, sampling: Sampling) -> Path:
        takers, chat = sampling.takers(self.config), sampling.rollouts.chat
        with closing(sampling):
            if self.config.arm == "on-policy":
                # What a server is handed is published by its taker.
                takers += [] if self.config.rollouts.backend == "server" else self._publishers()
                return self._train(sampling.policy, chat, sampling.source, takers)
            steps_of(self.config, len(sampling.source))  # raises where the buffer would be filled for nothing
            self._exchange(sampling.policy, takers).hand_over(0)
            buffer = sampled_buffer(self.config, sampling.source, self.accelerator, self.folder.path)
        return self._train(sampling.policy, chat, buffer, self._publishers())

    def _train(self, policy: PeftModel, chat: Chat, source: PairSource, takers: list[Taker]) -> Path:
        config, output = self.config, self.folder.path
        exchange, steps = self._exchange(policy, takers), steps_of(config, len(source))
        learner = Learner(
            policy,
            self.accelerator,
            config.objective,
            config.optimisation,
            micro_batch=config.machine.micro_batch,
            steps=steps,
            seed=config.seed,
        )
        held_out = held_out_pairs(config, chat)
        Loop(config, self.accelerator, self.folder, learner, source, exchange, held_out).run()
        exchange.finish(steps)
        if self.accelerator.is_main_process:
            save_adapter(policy, output / ADAPTER)
            save_merged(policy, chat.tokens.source, output / MODEL)
        self.accelerator.wait_for_everyone()
        return output / MODEL

    def _exchange(self, policy: PeftModel, takers: list[Taker]) -> AdapterExchange:
        return AdapterExchange(policy, self.folder.path / ADAPTERS, self.accelerator, takers)

    def _publishers(self) -> list[Taker]:
        """The store that is to get versions, if there is one."""
        if self.config.publish is None:
            return []
        return [Taker(Publisher(self.config, self.folder.path).publish, self.config.publish.every, last=True)]


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
    cache_gib = config.rollouts.engine.cache_gib
    return EngineRollOuts(config.model, rank=config.lora.rank, max_tokens=config.max_tokens, cache_gib=cache_gib)


def _load_judge(config: SelfTrainingConfig, model: Path, accelerator: Accelerator) -> RollOuts:
    """A judge that is not the policy's reference, in a copy of the weights of its own."""
    base = load_base(model, config.machine)
    Module.to(base, accelerator.device)
    return HuggingFaceRollOuts(base, load_tokenizer(model))


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
