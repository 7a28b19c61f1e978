"""TRL's SFTTrainer with weights on targets, and metrics that tell judging from answering.

The fused head, DDP, FSDP, mixed precision and adapters are TRL's, Transformers', Accelerate's and PEFT's own.
Leaves out the load-balancing loss of mixture-of-experts models.
"""

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset  # type: ignore[import-untyped]  # it ships no py.typed
from peft import LoraConfig
from peft.utils import TrainableTokensWrapper
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.trainer_callback import PrinterCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer
from typing_extensions import override

from selfjudge_training.jsft.batches import Collator, StepSampler
from selfjudge_training.jsft.optimizer import MuonAndAdamW
from selfjudge_training.jsft.progress import Progress
from selfjudge_training.jsft.tally import FIELDS, means, tally
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.run.trainer import RunTrainer


class JsftTrainer(RunTrainer, SFTTrainer):
    """One run of the stage."""

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
        *,
        held_out: Dataset | None = None,
        matrix_rate: float | None = None,
    ) -> None:
        """``held_out``: judgments to be measured by; ``matrix_rate``: learning rate of Muon, where it takes part."""
        self._matrix_rate = matrix_rate
        super().__init__(
            folder=folder,
            sampler=sampler,
            model=model,
            args=arguments,
            data_collator=collator,
            train_dataset=dataset,
            eval_dataset=held_out,
            processing_class=tokenizer,
            peft_config=lora,
            callbacks=[Progress()],
        )
        self.remove_callback(PrinterCallback)
        _show_bias(model)
        if self.aux_loss_enabled:
            raise ValueError("mixture-of-experts models are not supported: their load-balancing loss would be left out")
        self._tally = torch.zeros(FIELDS, dtype=torch.float64, device=self.args.device)

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
        if num_items_in_batch is None:  # nothing is learned: an evaluation
            num_items_in_batch = weights.sum()
        # Gradients are averaged over processes, which share one sum here.
        mean: Tensor = (losses * weights).sum() / num_items_in_batch * self.accelerator.num_processes
        return mean

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
    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        """How well held-out pairs are judged: `held_out/judgment/right` and `held_out/judgment/loss`."""
        learned, model = self._tally.clone(), self.model_wrapped
        self._tally.zero_()
        model.eval()
        with torch.no_grad():
            for inputs in self.get_eval_dataloader():
                self.compute_loss(model, self._prepare_inputs(inputs))
        model.train()
        found = means(self.accelerator.reduce(self._tally))
        self._tally.copy_(learned)
        metrics = {f"held_out/{name}": value for name, value in found.items() if name.startswith("judgment")}
        self._folder.metrics.log(self.state.global_step, **metrics)
        return metrics

    @override
    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            logs |= means(self.accelerator.reduce(self._tally))
            self._tally.zero_()
        super().log(logs, start_time)

    @override
    def kept(self, logs: dict[str, float]) -> dict[str, float]:
        """All but the epoch: Transformers counts but one."""
        return {name: value for name, value in logs.items() if name != "epoch"}

    @override
    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Tensor]], device: torch.device) -> Tensor:
        weight = torch.stack([batch["weights"][:, 1:].sum() for batch in batch_samples]).sum()
        total: Tensor = self.accelerator.reduce(weight.to(device))
        return total

    def save_trained(self, path: Path) -> None:
        """What was trained (all weights, or the adapter) in one piece, however many processes hold its parts."""
        if self.is_fsdp_enabled:
            self.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
        self.save_model(str(path))
        self.accelerator.wait_for_everyone()


def _show_bias(model: PreTrainedModel) -> None:
    """Give an output layer tied to new embeddings its `bias`: TRL's fused head reads it, PEFT's wrapper hides it."""
    head = model.get_output_embeddings()
    if isinstance(head, TrainableTokensWrapper):
        head.bias = head.original_module.bias
