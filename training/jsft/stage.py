"""The stage: examples in, a model folder out, resumable at any moment.

Several processes (`accelerate launch`) run this side by side; the main one writes. Leaves out the command line.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from trl.trainer.sft_config import SFTConfig

from selfjudge import Chat, JudgmentTemplate, SafeTokenizer, load_templates
from training.data.jsft import JsftExample, JsftSet, jsft_examples
from training.data.load import load_demonstrations, load_pairs
from training.jsft.batches import Collator, Schedule, StepSampler, as_dataset
from training.jsft.config import Data, JsftConfig
from training.jsft.model import Ready, adapter_config, load_start, write_model
from training.jsft.trainer import JsftTrainer
from training.run.config import ConfigError
from training.run.files import write_folder
from training.run.folder import RunFolder
from training.run.processes import on_cpu, processes

MODEL = "model"
"""Folder of the finished model within the run's."""


def run_jsft(config: JsftConfig, folder: Path) -> Path:
    """Load, train and write; returns the model folder. What was finished before is not done again.

    Raises ConfigError and DataError, which say what to change, and FloatingPointError where the loss diverges.
    """
    if (folder / MODEL).exists():
        _open(config, folder)
        return folder / MODEL
    ready = load_start(config.start, config.seed)
    examples = load_examples(config.data, Chat(SafeTokenizer(ready.tokenizer)), config.seed)
    return train(config, ready, examples, folder)


def load_examples(data: Data, chat: Chat, seed: int) -> list[JsftExample]:
    """The JSFT set of a configuration, with an account of it on stdout."""
    template = _template(data)
    pairs = load_pairs(data.pairs, template, seed=seed, strict=data.strict)
    demonstrations = load_demonstrations(data.demonstrations, strict=data.strict)
    made: JsftSet = jsft_examples(
        chat, template, demonstrations.records, pairs.records, max_tokens=data.max_length, system=data.system
    )
    if processes().is_main_process:
        cut = sum(example.cut for example in made.examples)
        print(*demonstrations.account("demonstrations"), *pairs.account("pairs"), sep="\n")
        print(f"{len(made.examples):,} examples, {cut:,} of them cut to {data.max_length:,} tokens", end="; ")
        print(f"{made.left_out:,} left out, as no target fits in", flush=True)
    return made.examples


def _template(data: Data) -> JudgmentTemplate:
    templates = load_templates(data.templates)
    if data.template not in templates:
        raise ConfigError(f"data.template is {data.template!r}; there are {', '.join(sorted(templates))}")
    return templates[data.template]


def train(config: JsftConfig, ready: Ready, examples: Sequence[JsftExample], folder: Path) -> Path:
    """Train on examples that were made before; otherwise as `run_jsft`."""
    state, how = processes(), config.optimisation
    try:
        schedule = Schedule.of(len(examples), how.batch, how.epochs, how.steps)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    arguments = _arguments(config, schedule.steps, state.num_processes, folder)
    run = _open(
        config, folder
    )  # not before, since a folder that was opened belongs to its configuration, right or wrong
    trainer = JsftTrainer(
        ready.model,
        ready.tokenizer,
        arguments,
        as_dataset(examples),
        StepSampler([len(example.input_ids) for example in examples], schedule, config.seed),
        Collator(ready.tokenizer.pad_token_id, how.weighting),
        run,
        adapter_config(config.lora, ready.added) if config.lora else None,
    )
    trainer.run()
    run.metrics.close()
    trained = folder / "trained"
    trainer.save_trained(trained)
    if state.is_main_process:
        again = load_start(config.start, config.seed) if config.lora else ready
        write_folder(
            folder / MODEL,
            lambda output: write_model(trained, again, config.lora, config.machine.precision, output),
        )
        shutil.rmtree(trained)
    state.wait_for_everyone()
    return folder / MODEL


def _open(config: JsftConfig, folder: Path) -> RunFolder:
    return RunFolder.open(folder, config, seed=config.seed, main=processes().is_main_process)


def _arguments(config: JsftConfig, steps: int, sharers: int, folder: Path) -> SFTConfig:
    how, machine = config.optimisation, config.machine
    if how.batch % (how.micro_batch * sharers):
        raise ConfigError(
            f"optimisation.batch is {how.batch}, which is no multiple of micro_batch {how.micro_batch} times "
            f"{sharers} processes"
        )
    return SFTConfig(
        output_dir=str(folder),
        use_cpu=on_cpu(),
        seed=config.seed,
        max_steps=steps,
        per_device_train_batch_size=how.micro_batch,
        gradient_accumulation_steps=how.batch // (how.micro_batch * sharers),
        learning_rate=how.learning_rate,
        lr_scheduler_type=how.schedule,
        warmup_steps=round(how.warm_up * steps),
        adam_beta1=how.beta1,
        adam_beta2=how.beta2,
        weight_decay=how.weight_decay,
        max_grad_norm=how.clip,
        bf16=machine.precision == "bfloat16",
        gradient_checkpointing=machine.gradient_checkpointing,
        save_steps=machine.checkpoint_every,
        logging_steps=machine.log_every,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        disable_tqdm=True,  # ours shows the judge's accuracy
        report_to="none",
        packing=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
