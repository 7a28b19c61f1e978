"""What the stages on TRL's trainers share: a run folder's checkpoints and metrics, and steps that come out the same.

A checkpoint appears whole or not at all; the order of the examples is given; and dropout is drawn by the place of a
micro-batch in the run, so that neither death nor the number of processes changes the result, but for rounding.
Leaves out losses, and what of a step is worth keeping.
"""

import math
import random
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Sampler
from transformers import Trainer
from typing_extensions import override

from selfjudge_training.run.checkpoint import begin_checkpoint, commit_checkpoint, latest_checkpoint, partial_checkpoint
from selfjudge_training.run.folder import RunFolder


class RunTrainer(Trainer):
    """To be inherited before a trainer of TRL's: ``class Mine(RunTrainer, SFTTrainer)``.

    Args:
        folder: where checkpoints and metrics go.
        sampler: indices of the whole run's examples, step after step; all epochs are one sequence, since to resume is
            then to skip.
        options: of TRL's trainer.
    """

    def __init__(self, *, folder: RunFolder, sampler: Sampler[int], **options: Any) -> None:  # noqa: ANN401  # TRL's own
        self._folder, self._sampler, self._micro_batches = folder, sampler, 0
        super().__init__(**options)

    def run(self) -> None:
        """Train to the end, from the newest checkpoint where there is one."""
        checkpoint = latest_checkpoint(self._folder.path)
        inner = None if checkpoint is None else str(checkpoint.path / f"checkpoint-{checkpoint.step}")
        self.train(resume_from_checkpoint=inner)

    def kept(self, logs: dict[str, float]) -> dict[str, float]:
        """The metrics of a step, of what the trainer says of it."""
        return logs

    @override
    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep the metrics of a step; raises FloatingPointError where the loss is no longer finite."""
        if "loss" not in logs:  # Transformers' summary at the end
            return
        step = self.state.global_step
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(f"the loss is {logs['loss']} at step {step}; lower optimisation.learning_rate")
        super().log(logs, start_time)
        self._folder.metrics.log(step, **self.kept(logs))

    @override
    def training_step(self, *arguments: Any, **options: Any) -> Tensor:
        place = self._micro_batches % self.args.gradient_accumulation_steps
        number = place * self.args.world_size + self.args.process_index
        drawn = random.Random(f"{self.args.seed}:dropout:{self.state.global_step}:{number}")
        torch.manual_seed(drawn.getrandbits(63))
        self._micro_batches += 1
        return super().training_step(*arguments, **options)

    @override
    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self._sampler

    @override
    def _get_output_dir(self, trial: Any) -> str:
        return str(partial_checkpoint(self._folder.path, self.state.global_step))

    @override
    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Every process writes its part (Trainer's way) into a folder that then becomes a checkpoint at once."""
        path, step = self._folder.path, self.state.global_step
        if self.accelerator.is_main_process:
            begin_checkpoint(path, step)
        self.accelerator.wait_for_everyone()
        Trainer._save_checkpoint(self, model, trial)  # TRL's writes a model card on top
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            commit_checkpoint(path, step)

    def _send_telemetry(self) -> None:
        """Nothing is sent to anybody."""
