"""TRL's SFTTrainer with weights on targets, checkpoints that are whole, and metrics that tell judging from answering.

The fused head, DDP, FSDP, mixed precision and adapters are TRL's, Transformers', Accelerate's and PEFT's own.
Leaves out evaluation, a command of its own, and the load-balancing loss of mixture-of-experts models.
"""

import math
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset  # type: ignore[import-untyped]  # it ships no py.typed
from peft import LoraConfig
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer
from transformers.trainer_callback import PrinterCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer
from typing_extensions import override

from training.jsft.batches import Collator, StepSampler
from training.jsft.progress import Progress
from training.jsft.tally import FIELDS, means, tally
from training.run.checkpoint import begin_checkpoint, commit_checkpoint, latest_checkpoint, partial_checkpoint
from training.run.folder import RunFolder


class JsftTrainer(SFTTrainer):
    """One run, whose checkpoints and metrics go to a run folder."""

    loss_is_scaled_for_ga = True  # type: ignore[assignment]  # TRL declares None, meaning "not said"
    """`compute_loss` divides by what the whole step weighs, so that accumulation must not divide again."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        arguments: SFTConfig,
        dataset: Dataset,
        sampler: StepSampler,
        collator: Collator,
        folder: RunFolder,
        lora: LoraConfig | None,
    ) -> None:
        self._sampler, self._folder = sampler, folder
        super().__init__(
            model=model,
            args=arguments,
            data_collator=collator,
            train_dataset=dataset,
            processing_class=tokenizer,
            peft_config=lora,
            callbacks=[Progress()],
        )
        self.remove_callback(PrinterCallback)
        if self.aux_loss_enabled:
            raise ValueError("mixture-of-experts models are not supported: their load-balancing loss would be left out")
        self._tally = torch.zeros(FIELDS, dtype=torch.float64, device=self.args.device)

    def run(self) -> None:
        """Train to the end, from the newest checkpoint where there is one."""
        checkpoint = latest_checkpoint(self._folder.path)
        inner = None if checkpoint is None else str(checkpoint.path / f"checkpoint-{checkpoint.step}")
        self.train(resume_from_checkpoint=inner)

    @override
    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """The weighted mean of the targets' losses; `num_items_in_batch` is the weight of the whole step."""
        weights, choices = inputs.pop("weights")[:, 1:], inputs.pop("choices")[:, 1:]
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        losses = -outputs.log_probs
        self._tally += tally(losses.detach(), outputs.is_top1, outputs.label_mask, choices)
        # Gradients are averaged over processes, which share one sum here.
        mean: Tensor = (losses * weights).sum() / num_items_in_batch * self.accelerator.num_processes
        return mean

    @override
    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep the metrics of a step; raises FloatingPointError where the loss is no longer finite."""
        if "loss" not in logs:  # Transformers' summary at the end
            return
        step = self.state.global_step
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(f"the loss is {logs['loss']} at step {step}; lower optimisation.learning_rate")
        logs |= means(self.accelerator.reduce(self._tally))
        self._tally.zero_()
        self._folder.metrics.log(step, **logs)
        Trainer.log(self, logs, start_time)

    @override
    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Tensor]], device: torch.device) -> Tensor:
        weight = torch.stack([batch["weights"][:, 1:].sum() for batch in batch_samples]).sum()
        total: Tensor = self.accelerator.reduce(weight.to(device))
        return total

    @override
    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> StepSampler:
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

    def save_trained(self, path: Path) -> None:
        """What was trained (all weights, or the adapter) in one piece, however many processes hold its parts."""
        if self.is_fsdp_enabled:
            self.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
        self.save_model(str(path))
        self.accelerator.wait_for_everyone()

    @override
    def _send_telemetry(self) -> None:
        """Nothing is sent to anybody."""
