"""`selfjudge-train jsft` and `selfjudge-train self-train`: the two stages of the method."""
# ruff: noqa: PLC0415

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from selfjudge.shipped import SHIPPED_MODEL
from selfjudge_training.commands.registry import Command, add_config_arguments

if TYPE_CHECKING:
    from selfjudge_training.jsft.jsft_config import JsftConfig
    from selfjudge_training.self_training.self_training_config import SelfTrainingConfig

Config = TypeVar("Config", "JsftConfig", "SelfTrainingConfig")

_JSFT = (
    "Judge-augmented supervised fine-tuning (section 3.1) on demonstrations and preference pairs. Configurations that "
    "ship: hh, ultrafeedback, ultrafeedback-p, ultrafeedback-pr (7B, the paper's values) and jsft-tiny (the model that "
    "ships). Your own preference file: jsft start.path=MODEL start.architecture=llama "
    "data.pairs='[{format: preferences, path: FILE}]' data.demonstrations='[{format: preferences, path: FILE}]'. "
    "An interrupted run goes on from its last checkpoint. Writes model/, config.yaml, metrics.jsonl and TensorBoard's "
    "events. Several processes: accelerate launch --no_python selfjudge-train jsft ..., with --config_file "
    "training/selfjudge_training/recipes/accelerate/fsdp.yaml to share out one model."
)
_SELF_TRAIN = (
    "On-policy self-training (section 3.2): per prompt two samples of the policy, judged in both orders by the frozen "
    "reference, teach a LoRA adapter. arm=off-policy samples the initial policy once, arm=offline learns the pairs of "
    "the data sets (table 4). Configurations that ship: self-train-hh, self-train-ultrafeedback, "
    "self-train-ultrafeedback-p, self-train-ultrafeedback-pr (7B models, the paper's hyper-parameters) and "
    "self-train-tiny (the model that ships). "
    "An interrupted run goes on from its last checkpoint. Writes adapter/ and model/ (merged; a folder for each "
    "iteration where there are several), config.yaml, metrics.jsonl and TensorBoard's events. Several processes: "
    "accelerate launch --multi_gpu --no_python selfjudge-train self-train ..."
)


def _add_arguments(parser: argparse.ArgumentParser, *, config: str, output: str) -> None:
    add_config_arguments(parser, config=config, output=Path("build", output), holds="run")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="check the configuration and the data and take one step, or up to four, with a tiny model of the same "
        "architecture and random weights; nothing is fetched from the hub (its data sets are replaced by generated "
        "rows), nothing kept",
    )
    parser.add_argument("--push-to-hub", metavar="NAME", help="upload the model to this repository on the hub")
    parser.add_argument("--tokenizer", type=Path, default=SHIPPED_MODEL, help="tokenizer folder for the dry run")


def _jsft(options: argparse.Namespace) -> None:
    import torch  # noqa: F401  # first: Transformers adds a line of its own where it is missing

    from selfjudge_training.jsft.jsft_config import JsftConfig
    from selfjudge_training.jsft.jsft_stage import run_jsft

    _run(options, JsftConfig, run_jsft)


def _self_train(options: argparse.Namespace) -> None:
    import torch  # noqa: F401  # first: Transformers adds a line of its own where it is missing

    from selfjudge_training.self_training.self_training_config import SelfTrainingConfig
    from selfjudge_training.self_training.self_training_stage import self_train

    _run(options, SelfTrainingConfig, self_train)


def _run(options: argparse.Namespace, kind: type[Config], train: Callable[[Config, Path], Path]) -> None:
    """Try a configuration out, or train by it."""
    from selfjudge_training.dry_run import dry_run
    from selfjudge_training.run.config import load_config, recipe_path

    config = load_config(kind, recipe_path(options.config), options.overrides)
    if options.dry_run:
        dry_run(config, options.tokenizer)
        print("the dry run passed")
    else:
        _report(train(config, options.output), options.push_to_hub)


def _report(folder: Path, repository: str | None) -> None:
    """Say where a finished model is, and upload it where that was asked for; the main process does."""
    from selfjudge_training.run.model_folder import push_to_hub
    from selfjudge_training.run.processes import processes

    if not processes().is_main_process:
        return
    print(f"model in {folder}")
    if repository is not None:
        print(f"and on {push_to_hub(folder, repository)}")


JSFT = Command(
    "jsft",
    "fine-tune a model to answer and to judge (JSFT)",
    _JSFT,
    partial(_add_arguments, config="jsft-tiny", output="jsft"),
    _jsft,
)
SELF_TRAIN = Command(
    "self-train",
    "train a JSFT model on its own judgments of its own samples",
    _SELF_TRAIN,
    partial(_add_arguments, config="self-train-tiny", output="self-train"),
    _self_train,
)
