"""Offline DPO on the preference set: the baseline that never samples (section 4.2, table 4), on TRL's DPOTrainer.

The adapter is made by TRL over merged weights, so that the reference is the policy without it; a PeftModel handed to
DPOTrainer would bring a copy of the adapter along as the reference.
"""

import shutil
from pathlib import Path

import pyarrow.compute as pc  # type: ignore[import-untyped]  # it ships no py.typed
import torch
from datasets import Dataset  # type: ignore[import-untyped]  # likewise
from torch.utils.data import SequentialSampler
from transformers import AutoConfig
from trl.trainer.dpo_config import DPOConfig

from selfjudge import Chat, SafeTokenizer
from selfjudge_training.arms.offline_config import OfflineConfig
from selfjudge_training.arms.offline_trainer import OfflineTrainer
from selfjudge_training.arms.pair_tokens import PAIRS, kept_pairs
from selfjudge_training.data.source import DataError
from selfjudge_training.jsft.model import adapter_config
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.run.named_model import require_context, require_folder
from selfjudge_training.run.processes import micro_batches, on_cpu, processes
from selfjudge_training.self_training.losses import Loss
from selfjudge_training.self_training.policy import load_base, load_tokenizer, save_adapter, save_merged
from selfjudge_training.self_training.preferences import Preference
from selfjudge_training.self_training.prompts import batch_of_step
from selfjudge_training.self_training.stage import ADAPTER, MODEL, is_finished

_LOSSES = {Loss.DPO: "sigmoid", Loss.IPO: "ipo", Loss.HINGE: "hinge"}


def train_offline(config: OfflineConfig, output: Path) -> Path:
    """Train, and return the model folder; goes on where it was interrupted. Raises ConfigError and DataError."""
    begun = RunFolder.is_begun(output)
    if begun:
        _open(config, output)  # nothing of another run's is touched
        if is_finished(output):
            return output / MODEL
    require_folder(config.model, "model")
    require_context(AutoConfig.from_pretrained(config.model), config.max_tokens, "max_tokens")
    tokenizer = load_tokenizer(config.model)
    pairs = kept_pairs(config, Chat(SafeTokenizer(tokenizer)), output, begun=begun)
    steps = _steps(config, len(pairs))
    arguments = _arguments(config, steps, output)
    folder = _open(config, output)  # only now: a folder that was opened belongs to its configuration, right or wrong
    rows = pairs.select(order_of(pairs, config.optimisation.batch, steps, config.seed))
    trainer = OfflineTrainer(
        model=load_base(config.model, config.machine),
        args=arguments,
        train_dataset=rows,
        sampler=SequentialSampler(rows),
        processing_class=tokenizer,
        peft_config=adapter_config(config.lora, []),
        folder=folder,
    )
    trainer.run()
    folder.metrics.close()
    if processes().is_main_process:
        policy = trainer.accelerator.unwrap_model(trainer.model)
        save_adapter(policy, output / ADAPTER)
        save_merged(policy, tokenizer, output / MODEL)
        shutil.rmtree(output / PAIRS)
    processes().wait_for_everyone()
    return output / MODEL


def order_of(pairs: Dataset, batch: int, steps: int, seed: int) -> list[int]:
    """Places of the pairs of all steps, in the order in which self-training takes prompts; of each, the longest first.

    So the pairs of a step are the same however many processes share them, and micro-batches are padded little.
    """
    prompts, chosen, rejected = (
        pc.list_value_length(pairs.data.column(f"{field}_ids")).to_pylist() for field in Preference._fields
    )
    lengths = [prompt + max(responses) for prompt, *responses in zip(prompts, chosen, rejected, strict=True)]
    return [
        index
        for step in range(steps)
        for index in sorted(batch_of_step(len(pairs), batch, step, seed), key=lambda index: -lengths[index])
    ]


def _open(config: OfflineConfig, output: Path) -> RunFolder:
    return RunFolder.open(output, config, seed=config.seed, main=processes().is_main_process)


def _steps(config: OfflineConfig, pairs: int) -> int:
    if not pairs:
        raise DataError("the sources give no pair; the account above says why")
    how = config.optimisation
    steps = int(how.epochs * pairs) // how.batch
    if not steps:
        raise ConfigError(f"optimisation.batch is {how.batch}, but {pairs} pairs x {how.epochs:g} epochs are fewer")
    return steps


def _arguments(config: OfflineConfig, steps: int, output: Path) -> DPOConfig:
    how, machine = config.optimisation, config.machine
    if config.objective.label_smoothing:
        raise ConfigError("objective.label_smoothing should be 0 offline: TRL smooths none of these losses")
    return DPOConfig(
        output_dir=str(output),
        use_cpu=on_cpu(),
        seed=config.seed,
        max_steps=steps,
        per_device_train_batch_size=machine.micro_batch,
        gradient_accumulation_steps=micro_batches(how.batch, machine.micro_batch, "machine.micro_batch"),
        learning_rate=how.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=round(how.warm_up * steps),
        adam_beta1=how.betas[0],
        adam_beta2=how.betas[1],
        weight_decay=0.0,
        max_grad_norm=how.clip,
        loss_type=[_LOSSES[config.objective.loss]],
        beta=config.objective.beta,
        disable_dropout=False,  # the adapter's is the configuration's to say
        max_length=None,
        bf16=machine.precision == "bfloat16",
        gradient_checkpointing=machine.gradient_checkpointing,
        save_steps=machine.checkpoint_every,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
