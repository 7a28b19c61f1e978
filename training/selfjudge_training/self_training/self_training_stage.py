"""Preference learning put together: from a configuration and a folder to the loop's parts, at the end a model folder.

The arms of table 4 differ in their source of pairs, and in nothing else.
"""

import gc
import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from torch.nn import Module
from transformers import AutoConfig

from selfjudge import Chat, InPlaceTemplate, JudgmentEncoder, SafeTokenizer
from selfjudge_training.rollouts.base import RollOuts
from selfjudge_training.rollouts.engine import EngineRollOuts
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.rollouts.judge import Judge
from selfjudge_training.rollouts.scores import Scorer
from selfjudge_training.rollouts.server import ServerRollOuts
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.endpoint import Endpoint
from selfjudge_training.run.files import new_folder
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.run.model_folder import save_model_folder
from selfjudge_training.run.named_model import find_judge_template, require_context, require_folder
from selfjudge_training.run.processes import make_accelerator
from selfjudge_training.self_training.buffer import given_pairs, held_out_pairs, sampled_pairs
from selfjudge_training.self_training.choosing import BestAndWorst, Choose, Compared
from selfjudge_training.self_training.exchange import AdapterExchange, Publisher, Taker
from selfjudge_training.self_training.learner import Learner
from selfjudge_training.self_training.loop import Loop, steps_of
from selfjudge_training.self_training.pairs import OnPolicy, PairSource
from selfjudge_training.self_training.policy import Policy, load_base, load_policy, load_tokenizer, write_adapter
from selfjudge_training.self_training.prompts import gather_prompts
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig

MODEL, ADAPTER, ADAPTERS = "model", "adapter", "adapters"
"""What a run leaves in its folder: the merged model, the adapter alone, and those handed out on the way."""

Backend = EngineRollOuts | ServerRollOuts
"""What samples by a copy of the weights of its own, with the adapters that it is handed."""


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
        # vLLM keeps the frames that start an engine, and what has a name in them: the policy is made elsewhere, later.
        backend = start_backend(config, accelerator, output) if config.arm != "offline" else None
        _train(config, accelerator, folder, judge, backend, begun=begun)
    return output / MODEL


def _train(
    config: SelfTrainingConfig,
    accelerator: Accelerator,
    folder: RunFolder,
    judge: Path,
    backend: Backend | None,
    *,
    begun: bool,
) -> None:
    """Learn from the arm's pairs, and write adapter and merged model."""
    output, to = folder.path, config.publish
    exchanging = partial(AdapterExchange, folder=output / ADAPTERS, accelerator=accelerator)
    policy, tokenizer = load_policy(config, accelerator.device), load_tokenizer(config.model)
    chat = Chat(SafeTokenizer(tokenizer))
    takers = [Taker(backend.use_adapter, config.rollouts.adapter_every)] if backend else []
    with ExitStack() as sampling:
        if backend is not None:
            sampling.callback(backend.close)
        if config.arm == "offline":
            source = given_pairs(config, chat, output, begun=begun)
        else:
            source = on_policy(config, policy, accelerator, judge, backend)
        steps = steps_of(config, source.prompts, accelerator.num_processes)
        if config.arm == "off-policy":
            exchanging(policy, takers=takers).hand_over(0)
            source, takers = sampled_pairs(config, source, accelerator, output), []
            sampling.close()
        if to is not None and not (takers and config.rollouts.backend == "server"):  # whose taker publishes
            takers.append(Taker(Publisher(config, to, output).publish, to.every))
        learner, held_out = Learner(config, policy, accelerator, steps), held_out_pairs(config, chat)
        exchange = exchanging(policy, takers=takers)
        Loop(config, accelerator, folder, learner, source, exchange, held_out, steps).run()
    if accelerator.is_main_process:
        shutil.rmtree(output / ADAPTER, ignore_errors=True)  # an interrupted run's
        with new_folder(output / ADAPTER) as unfinished:
            write_adapter(policy, unfinished)
        merged = policy.merge_and_unload()
        with new_folder(output / MODEL) as unfinished:
            save_model_folder(merged, tokenizer, unfinished)
    accelerator.wait_for_everyone()


def start_backend(config: SelfTrainingConfig, accelerator: Accelerator, output: Path) -> Backend | None:
    """None where the policy's own module samples. Raises ConfigError, EndpointError."""
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


def on_policy(
    config: SelfTrainingConfig, policy: Policy, accelerator: Accelerator, judge: Path, backend: Backend | None
) -> PairSource:
    """Pairs of samples, judged by the reference, or else by a copy of ``judge``'s weights. Raises ConfigError."""
    rollouts = backend or HuggingFaceRollOuts(policy, load_tokenizer(config.model))
    judging: RollOuts = rollouts
    if config.max_tokens > rollouts.context:
        raise ConfigError(
            f"max_tokens: {config.max_tokens} is more than the context of {rollouts.context} that roll-outs have"
        )
    if judge != config.model:
        base = load_base(judge, config.machine)
        Module.to(base, accelerator.device)
        judging = HuggingFaceRollOuts(base, load_tokenizer(judge))
    choose, longest = _chooser(config, judging)
    prompts = gather_prompts(rollouts.chat, config.prompts, longest=longest - config.decoding.max_new_tokens)
    how = OnPolicy(rollouts, choose, prompts, config.decoding.sampling, config.decoding.samples)
    return PairSource(len(prompts), how.judged)


def _chooser(config: SelfTrainingConfig, judging: RollOuts) -> tuple[Choose, int]:
    """How samples become pairs, and how many tokens a prompt and a sample may have. Raises ConfigError."""
    how, samples = config.judge, config.decoding.samples
    template = find_judge_template(how.template, "judge.template", how.templates)
    if isinstance(template, InPlaceTemplate):
        scorer = Scorer(judging, template)
        return BestAndWorst(scorer, how.least_margin), config.max_tokens - scorer.tokens
    if samples > 2:
        raise ConfigError(
            f"decoding.samples: {samples} need a judge.template that scores, such as in-place-score; {how.template!r} "
            "compares two responses, so that 2 is what it takes"
        )
    encoders = [
        JudgmentEncoder(judging.chat, template, principle, max_tokens=config.max_tokens - 1)
        for principle in template.principles or (None,)
    ]
    return Compared(Judge(judging, encoders), how.least_margin), config.max_tokens
