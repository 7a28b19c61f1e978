"""The back ends taking turns, step by step, in one process: a policy, roll-outs and a learner each.

A step is the loop's: exchange of the adapter (the engine's only), two samples to each prompt, judgments in both orders,
gradients and update. The steps that warm up are not counted.
"""

import gc
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from selfjudge_training.run.processes import make_accelerator
from selfjudge_training.self_training.config import SelfTrainingConfig
from selfjudge_training.self_training.exchange import AdapterExchange
from selfjudge_training.self_training.learner import Learner
from selfjudge_training.self_training.stage import Parts, samplers

BACKENDS = ("huggingface", "vllm")


class Seconds(NamedTuple):
    """One step: wall clock for each part, and what the process used of the processors over all of them."""

    exchange: float
    rollouts: float
    learning: float
    processor: float
    tokens: float
    """Mean length of the samples."""
    longest: float
    """Largest mean length of the two samples to one prompt."""

    @property
    def step(self) -> float:
        """The whole step."""
        return self.exchange + self.rollouts + self.learning


class Contender:
    """A policy, its back end, and its learner."""

    def __init__(self, config: SelfTrainingConfig, backend: str, folder: Path, steps: int) -> None:
        own = config.rollouts.model_copy(update={"backend": backend})
        config = config.model_copy(update={"rollouts": own})
        accelerator = make_accelerator()
        self._parts, self._batch = Parts.make(config, accelerator, folder), config.optimisation.batch
        self._learner = Learner(
            self._parts.policy,
            accelerator,
            config.objective,
            config.optimisation,
            micro_batch=config.machine.micro_batch,
            steps=steps,
            seed=config.seed,
        )
        self._exchange = AdapterExchange(self._parts.policy, folder, accelerator, samplers(config, self._parts))

    def step(self, number: int, rolling_out: AbstractContextManager[object] | None = None) -> Seconds:
        """Take a step, counted from 0, and time its parts; the roll-outs run within a context."""
        used, began = time.process_time(), time.perf_counter()
        self._exchange.hand_over(number)
        handed = time.perf_counter()
        with rolling_out or nullcontext():
            judged = self._parts.on_policy.judged(range(number * self._batch, (number + 1) * self._batch), number)
        rolled = time.perf_counter()
        pairs = [one.preference for one in judged if not one.skipped]
        self._learner.learn(pairs, [one.preference for one in judged if one.skipped], number)
        ended = time.perf_counter()
        lengths = [one.tokens for one in judged]
        used = time.process_time() - used
        return Seconds(handed - began, rolled - handed, ended - rolled, used, sum(lengths) / len(lengths), max(lengths))

    def close(self) -> None:
        """Give the engine's memory back."""
        self._parts.close()


def measure(config: SelfTrainingConfig, folder: Path, steps: int, warm_up: int) -> dict[str, list[Seconds]]:
    """Steps of both back ends in turn, those of the warm-up left out."""
    found: dict[str, list[Seconds]] = {backend: [] for backend in BACKENDS}
    contenders = {backend: Contender(config, backend, folder / backend, warm_up + steps) for backend in BACKENDS}
    for number in tqdm(range(warm_up + steps), "steps of both"):
        for backend, contender in contenders.items():
            seconds = contender.step(number)
            if number >= warm_up:
                found[backend].append(seconds)
    for contender in contenders.values():
        contender.close()
    gc.collect()  # the next cell has no room for this one's engine
    return found
