"""The progress bar of a run."""

from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

SHOWN = ("loss", "judgment/right")


class Progress(TrainerCallback):
    """Counts optimizer steps in the main process, with the newest loss and accuracy beside them."""

    _bar: "tqdm[Any] | None" = None

    @override
    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero:
            self._bar = tqdm(total=state.max_steps, initial=state.global_step, desc="JSFT", unit="step", disable=None)

    @override
    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self._bar is not None:
            self._bar.update()

    @override
    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self._bar is not None:
            logs: dict[str, float] = kwargs["logs"]
            self._bar.set_postfix({name: f"{logs[name]:.3f}" for name in SHOWN if name in logs}, refresh=False)

    @override
    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self._bar is not None:
            self._bar.close()
