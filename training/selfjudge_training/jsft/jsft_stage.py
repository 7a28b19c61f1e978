"""The stage: examples in, a model folder out, resumable at any moment.

Several processes (`accelerate launch`) run this side by side; the main one writes. Leaves out the command line.
"""

import shutil
from functools import partial
from pathlib import Path

from trl.trainer.sft_config import SFTConfig

from selfjudge import Chat, SafeTokenizer
from selfjudge_training.data.examples.jsft_set import units
from selfjudge_training.data.source import DataError
from selfjudge_training.jsft.batches import Sharing, collate, in_steps
from selfjudge_training.jsft.examples import EXAMPLES, held_out_examples, kept_examples, lengths
from selfjudge_training.jsft.jsft_config import JsftConfig, Optimisation
from selfjudge_training.jsft.model import adapter_config, load_start, write_adapter, write_model
from selfjudge_training.jsft.trainer import JsftTrainer, trainer_arguments
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.files import new_folder
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.run.named_model import require_context
from selfjudge_training.run.processes import micro_batches, processes

MODEL, ADAPTER = "model", "adapter"
"""Folders of the finished model within the run's, and of the adapter alone where one was trained."""


def run_jsft(config: JsftConfig, folder: Path) -> Path:
    """Load, train and write; returns the model folder. What was finished before is not done again.

    Raises ConfigError and DataError, which say what to change, and FloatingPointError where the loss diverges.
    """
    open_run = partial(RunFolder.open, folder, config, seed=config.seed, trackers=config.machine.trackers)
    run = open_run() if RunFolder.is_begun(folder) else None  # nothing of another run's is touched
    if run and (folder / MODEL).exists():
        return folder / MODEL
    how = config.optimisation
    accumulated = micro_batches(how.batch, how.micro_batch, "optimisation.micro_batch")
    ready = load_start(config.start, config.seed, config.machine.attn_implementation)
    require_context(ready.model.config, config.data.max_length, "data.max_length")
    chat, pad_id = Chat(SafeTokenizer(ready.tokenizer)), ready.tokenizer.pad_token_id
    examples = kept_examples(config.data, chat, config.seed, folder, begun=run is not None)
    steps = _steps(how, len(examples))
    sharing = Sharing(how.micro_batch, processes().num_processes)
    order = in_steps(
        units(examples["form"][:]), lengths(examples), batch=how.batch, steps=steps, seed=config.seed, sharing=sharing
    )
    run = run or open_run()  # only now: a folder that was opened belongs to its configuration, right or wrong
    trainer = JsftTrainer(
        folder=run,
        matrix_rate=how.matrix_learning_rate if how.optimizer == "muon" else None,
        model=ready.model,
        args=_arguments(config, steps, accumulated, folder),
        data_collator=partial(
            collate,
            pad_id=pad_id,
            weighting=how.weighting,
            replay=config.data.replay,
            demonstration=config.data.demonstration_weight,
        ),
        train_dataset=examples.select(order),
        eval_dataset=held_out_examples(config, chat) if config.evaluation.measures else None,
        processing_class=ready.tokenizer,
        peft_config=adapter_config(config.lora, ready.added) if config.lora else None,
    )
    trainer.run()
    run.metrics.close()
    trained = folder / "trained"
    trainer.save_trained(trained)
    if processes().is_main_process:
        if config.lora and not (folder / ADAPTER).exists():
            with new_folder(folder / ADAPTER) as output:
                write_adapter(trained, config.machine.adapter_precision, output)
        again = load_start(config.start, config.seed) if config.lora else ready
        with new_folder(folder / MODEL) as output:
            write_model(trained, again, config.lora, config.machine.precision, output)
        shutil.rmtree(trained)
        shutil.rmtree(folder / EXAMPLES)
    processes().wait_for_everyone()
    return folder / MODEL


def _steps(how: Optimisation, examples: int) -> int:
    """Optimizer steps of the whole run."""
    if not examples:
        raise DataError("the sources give no example; the account above says why")
    if examples < how.batch:
        raise ConfigError(
            f"{examples} examples do not fill a batch of {how.batch}; give more data, or lower optimisation.batch"
        )
    steps = how.epochs * (examples // how.batch)
    return steps if how.steps is None else min(steps, how.steps)


def _arguments(config: JsftConfig, steps: int, accumulated: int, folder: Path) -> SFTConfig:
    how, machine = config.optimisation, config.machine
    return trainer_arguments(
        folder,
        seed=config.seed,
        max_steps=steps,
        per_device_train_batch_size=how.micro_batch,
        gradient_accumulation_steps=accumulated,
        learning_rate=how.learning_rate,
        # Transformers' "constant" leaves the warm-up out.
        lr_scheduler_type="constant_with_warmup" if how.schedule == "constant" else how.schedule,
        warmup_steps=round(how.warm_up * steps),
        adam_beta1=how.beta1,
        adam_beta2=how.beta2,
        weight_decay=how.weight_decay,
        max_grad_norm=how.clip,
        bf16=machine.precision == "bfloat16",
        gradient_checkpointing=machine.gradient_checkpointing,
        save_steps=machine.checkpoint_every,
        eval_strategy="steps" if config.evaluation.measures else "no",
        eval_steps=config.evaluation.every,
        per_device_eval_batch_size=how.micro_batch,
        logging_steps=machine.log_every,
    )
