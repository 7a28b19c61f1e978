"""Preference learning put together: from a configuration and a folder to the loop's parts, at the end a model folder.

The arms of table 4 differ in their source of pairs, and in nothing else.
"""

import gc
import shutil
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
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
from selfjudge_training.run.files import write_folder
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.run.model_folder import save_model_folder
from selfjudge_training.run.named_model import require_context, require_folder
from selfjudge_training.run.processes import make_accelerator
from selfjudge_training.self_training.buffer import given_buffer, held_out_pairs, sampled_buffer
from selfjudge_training.self_training.exchange import AdapterExchange, Publisher, Taker
from selfjudge_training.self_training.learner import Learner
from selfjudge_training.self_training.loop import Loop, steps_of
from selfjudge_training.self_training.pairs import OnPolicy, PairSource, gather_prompts
from selfjudge_training.self_training.policy import Policy, load_base, load_policy, load_tokenizer, write_adapter
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
    if not finished:
        require_context(AutoConfig.from_pretrained(config.model), config.max_tokens, "max_tokens")
        run = _Run(config, accelerator, folder)
        if config.arm == "offline":
            run.train_given(begun=begun)
        else:
            # It has no name here: vLLM keeps the frames that start an engine, and what has a name in them.
            run.train_sampled(Sampling.make(config, accelerator, output, judge))
    return output / MODEL


@dataclass(frozen=True)
class Sampling:
    """What an arm that samples is made of; `close` gives back what the roll-outs hold."""

    policy: Policy
    rollouts: RollOuts
    source: OnPolicy
    takers: list[Taker]
    """The back end, where it samples with adapters that it is handed. A server goes on serving the last one."""

    @classmethod
    def make(cls, config: SelfTrainingConfig, accelerator: Accelerator, output: Path, judge: Path) -> "Sampling":
        """Load and make everything. Raises ConfigError and the errors of what it calls."""
        # An engine first, while there is no policy yet that its frames could keep.
        return cls._make(config, accelerator, judge, _start_backend(config, accelerator, output))

    @classmethod
    def _make(
        cls,
        config: SelfTrainingConfig,
        accelerator: Accelerator,
        judge: Path,
        backend: EngineRollOuts | ServerRollOuts | None,
    ) -> "Sampling":
        policy = load_policy(config, accelerator.device)
        rollouts = backend or HuggingFaceRollOuts(policy, load_tokenizer(config.model))
        if config.max_tokens > rollouts.context:
            raise ConfigError(
                f"max_tokens: {config.max_tokens} is more than the context of {rollouts.context} that roll-outs have"
            )
        prompts = gather_prompts(
            rollouts.chat, config.prompts, longest=config.max_tokens - config.decoding.max_new_tokens
        )
        judging = rollouts if judge == config.model else _load_judge(config, judge, accelerator)
        made = Judge(judging, _encoders(config, rollouts.chat))
        source = OnPolicy(rollouts, made, prompts, config.decoding.sampling, config.judge.least_margin)
        last = config.rollouts.backend == "server"
        takers = [Taker(backend.use_adapter, config.rollouts.adapter_every, last=last)] if backend else []
        return cls(policy, rollouts, source, takers)

    def close(self) -> None:
        """Nothing can be sampled or judged afterwards. The policy stays."""
        if isinstance(self.rollouts, EngineRollOuts | ServerRollOuts):
            self.rollouts.close()


@dataclass(frozen=True)
class _Run:
    """One iteration in its folder, which trains, and writes adapter and merged model."""

    config: SelfTrainingConfig
    accelerator: Accelerator
    folder: RunFolder

    def train_given(self, *, begun: bool) -> None:
        """On the pairs of the data sets."""
        chat = Chat(SafeTokenizer(load_tokenizer(self.config.model)))
        buffer = given_buffer(self.config, chat, self.folder.path, begun=begun)
        self._train(load_policy(self.config, self.accelerator.device), chat, buffer, self._publishers())

    def train_sampled(self, sampling: Sampling) -> None:
        """On pairs of samples, which are all drawn before the first step if they are off-policy."""
        config, policy, chat = self.config, sampling.policy, sampling.rollouts.chat
        with closing(sampling):
            if config.arm == "on-policy":
                # What a server is handed is published by its taker.
                publishers = [] if config.rollouts.backend == "server" else self._publishers()
                return self._train(policy, chat, sampling.source, sampling.takers + publishers)
            self._steps(sampling.source)  # raises where the buffer would be filled for nothing
            self._exchange(policy, sampling.takers).hand_over(0)
            buffer = sampled_buffer(config, sampling.source, self.accelerator, self.folder.path)
        return self._train(policy, chat, buffer, self._publishers())

    def _train(self, policy: Policy, chat: Chat, source: PairSource, takers: list[Taker]) -> None:
        config, accelerator, output = self.config, self.accelerator, self.folder.path
        steps, exchange = self._steps(source), self._exchange(policy, takers)
        learner = Learner(config, policy, accelerator, steps)
        held_out = held_out_pairs(config, chat)
        Loop(config, accelerator, self.folder, learner, source, exchange, held_out, steps).run()
        if accelerator.is_main_process:
            shutil.rmtree(output / ADAPTER, ignore_errors=True)  # an interrupted run's
            write_folder(output / ADAPTER, partial(write_adapter, policy))
            merged = policy.merge_and_unload()
            write_folder(output / MODEL, partial(save_model_folder, merged, chat.tokens.source))
        accelerator.wait_for_everyone()

    def _steps(self, source: PairSource) -> int:
        return steps_of(self.config, len(source), self.accelerator.num_processes)

    def _exchange(self, policy: Policy, takers: list[Taker]) -> AdapterExchange:
        return AdapterExchange(policy, self.folder.path / ADAPTERS, self.accelerator, takers)

    def _publishers(self) -> list[Taker]:
        """The store that is to get versions, if there is one."""
        to = self.config.publish
        if to is None:
            return []
        return [Taker(Publisher(self.config, to, self.folder.path).publish, to.every, last=True)]


def _start_backend(
    config: SelfTrainingConfig, accelerator: Accelerator, output: Path
) -> EngineRollOuts | ServerRollOuts | None:
    """What samples by a copy of the weights of its own, if anything does."""
    if config.rollouts.backend == "vllm":
        if accelerator.num_processes > 1:
            raise ConfigError(
                "rollouts.backend: vllm runs in a single process; under accelerate launch take huggingface"
            )
        cache_gib = config.rollouts.engine.cache_gib
        return EngineRollOuts(config.model, rank=config.lora.rank, max_tokens=config.max_tokens, cache_gib=cache_gib)
    if config.rollouts.backend == "server" and config.publish is not None:
        server = config.rollouts.server
        endpoint = Endpoint(server.at, server.key_variable, at_once=server.requests_at_once)
        publisher = Publisher(config, config.publish, output)
        return ServerRollOuts(load_tokenizer(config.model), endpoint, publisher.publish)
    return None


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
