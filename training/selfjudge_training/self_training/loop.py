"""The loop of all arms: pairs from a source, one update, figures, now and then a checkpoint.

Our own on transformers, accelerate and peft, since TRL's online DPO sums gradients over accumulation steps, has no
hinge loss, and can't hand adapters to an engine. Does not know what runs the roll-outs, who judges, or whether the
source is on-policy. Everything that a step draws follows from the seed and the step, so a killed run, resumed from its
last checkpoint, ends with the same weights, and so does one of several processes, but for rounding.
"""

import time
from collections.abc import Sequence
from statistics import fmean

from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from accelerate.utils import gather_object  # type: ignore[import-untyped]  # likewise
from tqdm import tqdm

from selfjudge_training.run.checkpoint import latest_checkpoint, save_checkpoint
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.seeds import derived_seed
from selfjudge_training.self_training.exchange import AdapterExchange
from selfjudge_training.self_training.learner import Learned, Learner, Measured
from selfjudge_training.self_training.losses import Preference
from selfjudge_training.self_training.pairs import Judged, PairSource
from selfjudge_training.self_training.policy import parameters_in_memory, read_state, write_state
from selfjudge_training.self_training.prompts import batch_of_step
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig


def steps_of(config: SelfTrainingConfig, prompts: int) -> int:
    """Optimizer steps of a run over so many prompts, or pairs. Raises ConfigError where they don't fill one."""
    steps = int(config.optimisation.epochs * prompts) // config.optimisation.batch
    if not steps:
        raise ConfigError(
            f"optimisation.batch: {config.optimisation.batch} is more than the {prompts} prompts or pairs give in "
            f"{config.optimisation.epochs:g} epochs"
        )
    return steps


class Loop:
    """One run over the prompts of a source; ``held_out`` pairs are measured now and then.

    Raises ConfigError where there are more processes than calls of roll-outs in a step.
    """

    def __init__(
        self,
        config: SelfTrainingConfig,
        accelerator: Accelerator,
        folder: RunFolder,
        learner: Learner,
        source: PairSource,
        exchange: AdapterExchange,
        held_out: Sequence[Preference] = (),
    ) -> None:
        self._config, self._accelerator, self._folder = config, accelerator, folder
        self._learner, self._source, self._exchange, self._held_out = learner, source, exchange, held_out
        self._steps = steps_of(config, len(source))
        calls = -(-config.optimisation.batch // config.rollouts.prompts_per_call)
        if calls < accelerator.num_processes:
            raise ConfigError(
                f"rollouts.prompts_per_call: {config.rollouts.prompts_per_call} makes {calls} calls a step for "
                f"{accelerator.num_processes} processes; it should be at most "
                f"{config.optimisation.batch // accelerator.num_processes}"
            )

    def run(self) -> None:
        """Take all steps that are still to be taken."""
        start = self._resume()
        steps = range(start, self._steps)
        quiet = not self._accelerator.is_main_process
        bar = tqdm(steps, "self-training", self._steps, initial=start, unit="step", disable=quiet)
        for step in bar:
            figures = self._step(step)
            if step == start:
                figures |= parameters_in_memory()
            self._folder.metrics.log(step + 1, **figures)
            bar.set_postfix({name: f"{figures[name]:.3f}" for name in ("loss", "kl") if name in figures})
            if (step + 1) % self._config.machine.checkpoint_every == 0 or step + 1 == self._steps:
                self._save(step + 1)
        self._folder.metrics.close()

    def _step(self, step: int) -> dict[str, float]:
        measured = self._measured(step)
        began = time.monotonic()
        self._exchange.hand_over(step)
        judged = self._judged(step)
        rolled_out = time.monotonic()
        pairs = [pair.preference for pair in judged if not pair.skipped]
        learned = self._learner.learn(pairs, [pair.preference for pair in judged if pair.skipped], step)
        return {
            **measured,
            **figures_of(judged, learned),
            "learning_rate": self._learner.learning_rate(step),
            "seconds/rollouts": rolled_out - began,
            "seconds/learning": time.monotonic() - rolled_out,
        }

    def _measured(self, step: int) -> dict[str, float]:
        if not self._held_out or step % self._config.evaluation.every:
            return {}
        found = self._learner.measure(self._held_out)
        return {f"evaluation/{name}": value for name, value in _named(found).items()}

    def _judged(self, step: int) -> list[Judged]:
        """The pairs of a step, the same in all processes; calls are dealt out to them."""
        seed, size = self._config.seed, self._config.rollouts.prompts_per_call
        batch = batch_of_step(len(self._source), self._config.optimisation.batch, step, seed)
        calls = [batch[start : start + size] for start in range(0, len(batch), size)]
        mine = range(self._accelerator.process_index, len(calls), self._accelerator.num_processes)
        own = [(number, self._source.judged(calls[number], derived_seed(seed, step, number))) for number in mine]
        everyones: list[tuple[int, list[Judged]]] = gather_object(own)
        return [pair for _, pairs in sorted(everyones, key=lambda each: each[0]) for pair in pairs]

    def _resume(self) -> int:
        checkpoint = latest_checkpoint(self._folder.path)
        if checkpoint is None:
            return 0
        read_state(self._learner.policy, self._learner.optimizer, checkpoint.path)
        return checkpoint.step

    def _save(self, step: int) -> None:
        if self._accelerator.is_main_process:
            save_checkpoint(
                self._folder.path,
                step,
                lambda path: write_state(self._learner.policy, self._learner.optimizer, path),
            )
        self._accelerator.wait_for_everyone()


def figures_of(judged: Sequence[Judged], learned: Learned) -> dict[str, float]:
    """Figures of what was judged and, where there was a pair to learn from, of the update.

    `judge/position_consistency` stands there only where the judge was asked.
    """
    consistent = [pair.consistent for pair in judged if pair.consistent is not None]
    pairs = sum(not pair.skipped for pair in judged)
    return {
        "pairs": float(pairs),
        "skipped/equal": fmean(pair.equal for pair in judged),
        "skipped/tie": fmean(pair.tie for pair in judged),
        "skipped/close": fmean(pair.close for pair in judged),
        "sampled/tokens": fmean(pair.tokens for pair in judged),
        **({"judge/position_consistency": fmean(consistent)} if consistent else {}),
        "kl": learned.kl,
        **({**_named(learned.pairs), "gradient_norm": learned.gradient_norm} if pairs else {}),
    }


def _named(found: Measured) -> dict[str, float]:
    return {"loss": found.loss, "reward/margin": found.reward_margin, "reward/accuracy": found.reward_accuracy}
