"""TRL's DPOTrainer on pairs in token ids, with checkpoints that are whole and metrics that go to a run folder."""

import math
from typing import Any

from datasets import Dataset  # type: ignore[import-untyped]  # it ships no py.typed
from torch import nn
from transformers import Trainer
from transformers.trainer_callback import ProgressCallback
from trl.trainer.dpo_trainer import DPOTrainer
from typing_extensions import override

from training.run.checkpoint import begin_checkpoint, commit_checkpoint, latest_checkpoint, partial_checkpoint
from training.run.folder import RunFolder

_NAMES = {
    "loss": "loss",
    "rewards/margins": "reward/margin",
    "rewards/accuracies": "reward/accuracy",
    "grad_norm": "gradient_norm",
    "learning_rate": "learning_rate",
}
"""TRL's figures that self-training has too, and what they are called there."""


class _Bar(ProgressCallback):
    """Transformers' progress bar, without a line of figures for each step."""

    @override
    def on_log(self, *arguments: Any, **options: Any) -> None: ...


class OfflineTrainer(DPOTrainer):
    """One run, in a folder of its own; a data set's rows are `prompt_ids`, `chosen_ids` and `rejected_ids`."""

    def __init__(self, *, folder: RunFolder, **options: Any) -> None:  # noqa: ANN401  # DPOTrainer's own
        self._folder = folder
        super().__init__(**options)
        self.remove_callback(ProgressCallback)
        self.add_callback(_Bar())

    def run(self) -> None:
        """Train to the end, from the newest checkpoint where there is one."""
        checkpoint = latest_checkpoint(self._folder.path)
        inner = None if checkpoint is None else str(checkpoint.path / f"checkpoint-{checkpoint.step}")
        self.train(resume_from_checkpoint=inner)

    @override
    def _prepare_dataset(self, dataset: Dataset, *arguments: Any) -> Dataset:
        """As it is: TRL's own way would let text in the data spell control tokens."""
        return dataset

    @override
    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep the metrics of a step; raises FloatingPointError where the loss is no longer finite."""
        if "loss" not in logs:  # Transformers' summary at the end
            return
        step = self.state.global_step
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(f"the loss is {logs['loss']} at step {step}; lower optimisation.learning_rate")
        super().log(logs, start_time)
        self._folder.metrics.log(step, **{ours: logs[theirs] for theirs, ours in _NAMES.items() if theirs in logs})

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

    @override
    def _send_telemetry(self) -> None:
        """Nothing is sent to anybody."""
