"""TRL's SFTTrainer with weights on targets, metrics that tell judging from answering, and steps that come out the same.

A checkpoint appears whole or not at all; the order of the examples is given; and dropout is drawn by the place of a
micro-batch in the run, so that neither death nor the number of processes changes the result, but for rounding. The
fused head, DDP, FSDP, mixed precision and adapters are TRL's, Transformers', Accelerate's and PEFT's own.
"""

import math
from pathlib import Path
from typing import Any

import torch
from peft.utils import TrainableTokensWrapper
from torch import Tensor, nn
from transformers import PreTrainedModel, Trainer
from transformers.modeling_outputs import BaseModelOutput
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer
from typing_extensions import override

from selfjudge_training.data.examples.jsft_example import JUDGED
from selfjudge_training.jsft.batches import IGNORED, Sharing
from selfjudge_training.jsft.optimizer import MuonAndAdamW
from selfjudge_training.run.checkpoint import latest_checkpoint, new_checkpoint
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.run.processes import on_cpu
from selfjudge_training.seeds import derived_seed


def trainer_arguments(folder: Path, **own: Any) -> SFTConfig:  # noqa: ANN401  # TRL's own
    """Arguments of a run: its own, and what `JsftTrainer` needs of every run."""
    return SFTConfig(
        output_dir=str(folder),
        use_cpu=on_cpu(),
        logging_first_step=True,
        logging_nan_inf_filter=False,
        report_to="none",
        packing=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        train_sampling_strategy="sequential",
        dataloader_pin_memory=torch.cuda.is_available(),
        **own,
    )


class JsftTrainer(SFTTrainer):
    """One run of the stage. Leaves out the load-balancing loss of mixture-of-experts models.

    Args:
        folder: where checkpoints and metrics go.
        matrix_rate: learning rate of Muon, where it takes part.
        options: of TRL's trainer; `train_dataset` has the whole run's examples, step after step (`in_steps`).
    """

    loss_is_scaled_for_ga = True  # type: ignore[assignment]  # TRL declares None, meaning "not said"
    """`compute_loss` divides by what the whole step weighs, so that accumulation must not divide again."""

    def __init__(self, *, folder: RunFolder, matrix_rate: float | None, **options: Any) -> None:  # noqa: ANN401  # TRL's own
        self._folder, self._matrix_rate, self._micro_batches, self._saving = folder, matrix_rate, 0, folder.path
        super().__init__(**options)
        model: PreTrainedModel = options["model"]  # within PEFT's wrapper, where there is an adapter
        _show_bias(model)
        if self.aux_loss_enabled:
            raise ValueError("mixture-of-experts models are not supported: their load-balancing loss would be left out")
        model.base_model.register_forward_hook(self._keep_targets)
        self._targets: Tensor | None = None
        """Where the next token is a target, [examples, tokens - 1]; only while a loss is computed."""
        self._tally = torch.zeros(1 + len(JUDGED), 3, dtype=torch.float64, device=self.args.device)
        """Since the last log, of choices by form, and first of other targets: losses, how many were right, how many."""

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
        labels = inputs["labels"][:, 1:]
        targets = labels != IGNORED
        weights, choices = (inputs[name][:, 1:][targets][None] for name in ("weights", "choices"))
        self._targets = targets
        outputs = model(
            input_ids=inputs["input_ids"], shift_labels=labels[targets][None], use_cache=False, fused_lm_head=True
        )
        self._targets = None
        losses = -outputs.log_probs
        counted = (losses.detach(), outputs.is_top1, torch.ones_like(losses))
        groups = (choices == number for number in range(1 + len(JUDGED)))
        sums = [(each * of).sum() for of in groups for each in counted]
        self._tally += torch.stack(sums).double().view_as(self._tally)
        return self.share_of_mean(losses * weights, weights, num_items_in_batch)

    def _keep_targets(self, _backbone: nn.Module, _inputs: object, output: BaseModelOutput) -> None:
        """Leave the head only what predicts a target: without Triton, TRL's would score all places."""
        if self._targets is not None and output.last_hidden_state is not None:
            kept = output.last_hidden_state[:, :-1][self._targets][None]
            output.last_hidden_state = kept  # type: ignore[assignment]  # declared as FloatTensor, which none is

    def share_of_mean(self, weighted: Tensor, weights: Tensor, whole: Tensor | int | None) -> Tensor:
        """What a micro-batch adds to the weighted mean of a step, whose weight is ``whole``; None: an evaluation."""
        if whole is None:
            whole = weights.sum()
        # Gradients are averaged over processes, which share one sum here.
        share: Tensor = weighted.sum() / whole * self.accelerator.num_processes
        return share

    @override
    def create_optimizer(self, *arguments: Any) -> torch.optim.Optimizer:
        """AdamW by Transformers, or with Muon for the matrices."""
        if self._matrix_rate is None:
            return super().create_optimizer(*arguments)
        how = self.args
        adamw = {"lr": how.learning_rate, "betas": (how.adam_beta1, how.adam_beta2), "weight_decay": how.weight_decay}
        self.optimizer = MuonAndAdamW(self.accelerator.unwrap_model(self.model), self._matrix_rate, adamw)
        return self.optimizer

    @override
    def training_step(self, *arguments: Any, **options: Any) -> Tensor:
        place = self._micro_batches % self.args.gradient_accumulation_steps
        sharing = Sharing(self.args.per_device_train_batch_size, self.args.world_size)
        number = sharing.number(place, self.args.process_index)
        torch.manual_seed(derived_seed(self.args.seed, "dropout", self.state.global_step, number))
        self._micro_batches += 1
        loss: Tensor = super().training_step(*arguments, **options)  # type: ignore[no-untyped-call]  # TRL leaves it so
        return loss

    @override
    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        """How well held-out answers are judged: `held_out/judgment/right`, `held_out/judgment/loss`, and by form."""
        learned, self._tally = self._tally, torch.zeros_like(self._tally)
        super().evaluate(*arguments, **options)
        found, self._tally = self._means(), learned
        metrics = {f"held_out/{name}": value for name, value in found.items() if not name.startswith("text")}
        self._folder.metrics.log(self.state.global_step, **metrics)
        return metrics

    @override
    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep the metrics of a step; raises FloatingPointError where the loss is no longer finite."""
        if "loss" not in logs:  # Transformers' summary at the end, or of an evaluation
            return
        step = self.state.global_step
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(f"the loss is {logs['loss']} at step {step}; lower optimisation.learning_rate")
        logs |= self._means()
        self._tally.zero_()
        super().log(logs, start_time)
        # Transformers counts but one epoch.
        self._folder.metrics.log(step, **{name: value for name, value in logs.items() if name != "epoch"})

    def _means(self) -> dict[str, float]:
        """Metrics by name; those of choice tokens, or of other targets, are missing where there was none.

        `judgment/loss` and `judgment/right` are about choice tokens, where guessing gives 0.69 and 0.5 once the model
        says nothing but A or B; `text/loss` and `text/right` are about all other targets. Where some of the judgments
        are in place, there are the same two of each form alone, such as `score/right`. Losses are in nats per token.
        """
        text, *forms = self.accelerator.reduce(self._tally).tolist()
        groups = {"judgment": [sum(each) for each in zip(*forms, strict=True)], "text": text}
        if any(count for *_, count in forms[1:]):
            groups |= zip(JUDGED, forms, strict=True)
        metrics: dict[str, float] = {}
        for group, (loss, right, count) in groups.items():
            if count:
                metrics |= {f"{group}/loss": loss / count, f"{group}/right": right / count}
        return metrics

    def save_trained(self, path: Path) -> None:
        """What was trained (all weights, or the adapter) in one piece, however many processes hold its parts."""
        if self.is_fsdp_enabled:
            self.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
        self.save_model(str(path))
        self.accelerator.wait_for_everyone()

    @override
    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Tensor]], device: torch.device) -> Tensor:
        weight = torch.stack([batch["weights"][:, 1:].sum() for batch in batch_samples]).sum()
        total: Tensor = self.accelerator.reduce(weight.to(device))
        return total

    @override
    def _get_output_dir(self, trial: Any) -> str:
        return str(self._saving)

    @override
    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Every process writes its part (Trainer's way) into a folder that then becomes a checkpoint at once."""
        with new_checkpoint(self._folder.path, self.state.global_step) as self._saving:
            Trainer._save_checkpoint(self, model, trial)  # TRL's writes a model card on top

    @override
    def _send_telemetry(self) -> None:
        """Nothing is sent to anybody."""


def _show_bias(model: PreTrainedModel) -> None:
    """Give an output layer tied to new embeddings its `bias`: TRL's fused head reads it, PEFT's wrapper hides it."""
    head = model.get_output_embeddings()
    if isinstance(head, TrainableTokensWrapper):
        head.bias = head.original_module.bias
