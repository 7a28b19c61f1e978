"""TRL's DPOTrainer on pairs in token ids, with the metrics of self-training."""

from typing import Any

from datasets import Dataset  # type: ignore[import-untyped]  # it ships no py.typed
from transformers.trainer_callback import ProgressCallback
from trl.trainer.dpo_trainer import DPOTrainer
from typing_extensions import override

from selfjudge_training.run.trainer import RunTrainer

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


class OfflineTrainer(RunTrainer, DPOTrainer):
    """One run; a data set's rows are `prompt_ids`, `chosen_ids` and `rejected_ids`."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # RunTrainer's own
        super().__init__(**options)
        self.remove_callback(ProgressCallback)
        self.add_callback(_Bar())

    @override
    def _prepare_dataset(self, dataset: Dataset, *arguments: Any) -> Dataset:
        """As it is: TRL's own way would let text in the data spell control tokens."""
        return dataset

    @override
    def kept(self, logs: dict[str, float]) -> dict[str, float]:
        """What self-training has too."""
        return {ours: logs[theirs] for theirs, ours in _NAMES.items() if theirs in logs}
