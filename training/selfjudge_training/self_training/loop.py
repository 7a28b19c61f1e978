"""The loop of all arms: pairs from a source, one update, figures, now and then a checkpoint.

Our own on transformers, accelerate and peft, since TRL's online DPO sums gradients over accumulation steps, has no
hinge loss, and can't hand adapters to an engine. Does not know what runs the roll-outs, who judges, or whether the
source is on-policy. Everything that a step draws follows from the seed and the step, so a killed run, resumed from its
last checkpoint, ends with the same weights, and so does one of several processes, but for rounding.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from accelerate.utils import gather_object  # type: ignore[import-untyped]  # likewise
from tqdm import tqdm

from selfjudge_training.run.checkpoint import latest_checkpoint, new_checkpoint
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.seeds import derived_seed
from selfjudge_training.self_training.exchange import AdapterExchange
from selfjudge_training.self_training.learner import Learner
from selfjudge_training.self_training.losses import Pair
from selfjudge_training.self_training.pairs import PairSource
from selfjudge_training.self_training.policy import parameters_in_memory, read_state, write_state
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig


def steps_of(config: SelfTrainingConfig, prompts: int, processes: int) -> int:
    """Optimizer steps of a run over so many prompts, or pairs.

    Raises ConfigError where they don't fill one, or where more processes take part than a step has calls of roll-outs.
    """
    batch, size = config.optimisation.batch, config.rollouts.prompts_per_call
    calls = -(-batch // size)
    if calls < processes:
        raise ConfigError(
            f"rollouts.prompts_per_call: {size} makes {calls} calls a step for {processes} processes; it should be at "
            f"most {batch // processes}"
        )
    steps = int(config.optimisation.epochs * prompts) // batch
    if not steps:
        raise ConfigError(
            f"optimisation.batch: {batch} is more than the {prompts} prompts or pairs give in "
            f"{config.optimisation.epochs:g} epochs"
        )
    return steps


@dataclass(frozen=True)
class Loop:
    """One run over the prompts of a source; ``held_out`` pairs are measured now and then."""

    config: SelfTrainingConfig
    accelerator: Accelerator
    folder: RunFolder
    learner: Learner
    source: PairSource
    exchange: AdapterExchange
    held_out: Sequence[Pair]
    steps: int

    def run(self) -> None:
        """Take all steps that are still to be taken, and hand the last adapter over."""
        policy, optimizer = self.learner.policy, self.learner.optimizer
        checkpoint, start = latest_checkpoint(self.folder.path), 0
        if checkpoint is not None:
            read_state(policy, optimizer, checkpoint.path)
            start = checkpoint.step
        main = self.accelerator.is_main_process
        bar = tqdm(range(start, self.steps), "self-training", self.steps, initial=start, unit="step", disable=not main)
        for step in bar:
            figures = self.step(step)
            if step == start:
                figures |= parameters_in_memory()
            self.folder.metrics.log(step + 1, **figures)
            bar.set_postfix({name: f"{figures[name]:.3f}" for name in ("loss", "kl") if name in figures})
            if (step + 1) % self.config.machine.checkpoint_every == 0 or step + 1 == self.steps:
                with new_checkpoint(self.folder.path, step + 1) as unfinished:
                    if main:
                        write_state(policy, optimizer, unfinished)
        self.folder.metrics.close()
        self.exchange.hand_over(self.steps, last=True)

    def step(self, step: int) -> dict[str, float]:
        """Take one, counted from 0, and return its figures."""
        figures: dict[str, float] = {}
        if self.held_out and step % self.config.evaluation.every == 0:
            figures = {f"evaluation/{name}": value for name, value in self.learner.measure(self.held_out).items()}
        began = time.monotonic()
        self.exchange.hand_over(step)
        pairs = self._pairs(step)
        rolled_out = time.monotonic()
        figures |= figures_of(pairs) | self.learner.learn(pairs, step)
        times = {"seconds/rollouts": rolled_out - began, "seconds/learning": time.monotonic() - rolled_out}
        return figures | times

    def _pairs(self, step: int) -> list[Pair]:
        """The pairs of a step, the same in all processes; calls are dealt out to them."""
        seed, size = self.config.seed, self.config.rollouts.prompts_per_call
        batch = batch_of_step(self.source.prompts, self.config.optimisation.batch, step, seed)
        calls = [batch[start : start + size] for start in range(0, len(batch), size)]
        mine = range(self.accelerator.process_index, len(calls), self.accelerator.num_processes)
        own = [(number, self.source.judged(calls[number], derived_seed(seed, step, number))) for number in mine]
        everyones: list[tuple[int, list[Pair]]] = gather_object(own)
        return [pair for _, pairs in sorted(everyones, key=lambda each: each[0]) for pair in pairs]


def batch_of_step(prompts: int, batch: int, step: int, seed: int) -> list[int]:
    """Which prompts the step, counted from 0, takes: epoch after epoch, each in an order of its own.

    A function of its arguments alone, so that a resumed run goes on with what the killed one would have taken.
    """
    places, orders = range(step * batch, (step + 1) * batch), {}
    for epoch in {place // prompts for place in places}:
        orders[epoch] = list(range(prompts))
        random.Random(f"{seed}:epoch {epoch}").shuffle(orders[epoch])
    return [orders[place // prompts][place % prompts] for place in places]


def figures_of(pairs: Sequence[Pair]) -> dict[str, float]:
    """What was sampled and judged; figures of `judge` stand there only where it was asked in that way."""
    consistent = [pair.consistent for pair in pairs if pair.consistent is not None]
    scores = [pair.score for pair in pairs if pair.score is not None]
    return {
        "pairs": float(sum(not pair.skipped for pair in pairs)),
        "skipped/equal": fmean(pair.equal for pair in pairs),
        "skipped/tie": fmean(pair.tie for pair in pairs),
        "skipped/close": fmean(pair.close for pair in pairs),
        "sampled/tokens": fmean(map(_length, pairs)),
        **({"judge/position_consistency": fmean(consistent)} if consistent else {}),
        **({"judge/score": fmean(scores)} if scores else {}),
    }


def _length(pair: Pair) -> float:
    both = fmean([len(pair.chosen), len(pair.rejected)])
    return both if pair.sampled_tokens is None else pair.sampled_tokens
