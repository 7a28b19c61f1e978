"""`selfjudge-train jsft` and `selfjudge-train self-train`: the two stages of the method."""
# ruff: noqa: PLC0415

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from selfjudge.shipped import TINY_MODEL
from selfjudge_training.commands.registry import Commands, add_command, add_config_arguments
from selfjudge_training.run.config import load_config

if TYPE_CHECKING:
    from selfjudge_training.jsft.jsft_config import JsftConfig
    from selfjudge_training.self_training.self_training_config import SelfTrainingConfig

Config = TypeVar("Config", "JsftConfig", "SelfTrainingConfig")

_JSFT = (
    "Judge-augmented supervised fine-tuning (section 3.1) on demonstrations and preference pairs. Configurations that "
    "ship: hh, ultrafeedback, ultrafeedback-p, ultrafeedback-pr (7B, the paper's values) and jsft-tiny (the model that "
    "ships). Your own preference file: jsft start.path=MODEL start.architecture=llama "
    "data.pairs='[{format: preferences, path: FILE}]' data.demonstrations='[{format: preferences, path: FILE}]'. "
    "An interrupted run goes on from its last checkpoint. Writes model/ (with lora adapter/ too), config.yaml, "
    "metrics.jsonl and TensorBoard's events. Several processes: accelerate launch --no_python selfjudge-train jsft "
    "..., with --config_file training/selfjudge_training/recipes/accelerate/fsdp.yaml to share out one model."
)
_SELF_TRAIN = (
    "On-policy self-training (section 3.2): per prompt two samples of the policy, judged in both orders by the frozen "
    "reference, or the best and the worst of more by its scores in place, teach a LoRA adapter. arm=off-policy samples "
    "the initial policy once, arm=offline learns the pairs of the data sets (table 4). Configurations that ship: "
    "self-train-hh, self-train-ultrafeedback, self-train-ultrafeedback-p, self-train-ultrafeedback-pr (7B models, the "
    "paper's hyper-parameters), self-train-smollm2 (by scores) and self-train-tiny (the tiny model). "
    "An interrupted run goes on from its last checkpoint. Writes adapter/ and model/ (merged; a folder for each "
    "iteration where there are several), config.yaml, metrics.jsonl and TensorBoard's events. Several processes: "
    "accelerate launch --multi_gpu --no_python selfjudge-train self-train ..."
)


def add_jsft(commands: Commands) -> None:
    """`jsft`."""
    parser = add_command(commands, "jsft", "fine-tune a model to answer and to judge (JSFT)", _JSFT, _jsft)
    _add_arguments(parser, config="jsft-tiny", output=Path("build", "jsft"))


def add_self_train(commands: Commands) -> None:
    """`self-train`."""
    summary = "train a JSFT model on its own judgments of its own samples"
    parser = add_command(commands, "self-train", summary, _SELF_TRAIN, _self_train)
    _add_arguments(parser, config="self-train-tiny", output=Path("build", "self-train"))


def _add_arguments(parser: argparse.ArgumentParser, *, config: str, output: Path) -> None:
    add_config_arguments(parser, config=config, output=output, holds="run")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="check the configuration and the data and take one step, or up to four, with a tiny model of the same "
        "architecture and random weights; nothing is fetched from the hub (its data sets are replaced by generated "
        "rows), nothing kept",
    )
    parser.add_argument("--push-to-hub", metavar="NAME", help="upload the model to this repository on the hub")
    parser.add_argument("--tokenizer", type=Path, default=TINY_MODEL, help="tokenizer folder for the dry run")


def _jsft(options: argparse.Namespace) -> None:
    import torch  # noqa: F401  # first: Transformers adds a line of its own where it is missing

    from selfjudge_training.jsft.jsft_config import JsftConfig
    from selfjudge_training.jsft.jsft_stage import run_jsft

    _train(options, JsftConfig, run_jsft)


def _self_train(options: argparse.Namespace) -> None:
    import torch  # noqa: F401  # first: Transformers adds a line of its own where it is missing

    from selfjudge_training.self_training.self_training_config import SelfTrainingConfig
    from selfjudge_training.self_training.self_training_stage import self_train

    _train(options, SelfTrainingConfig, self_train)


def _train(options: argparse.Namespace, kind: type[Config], train: Callable[[Config, Path], Path]) -> None:
    """Try a configuration out; or train by it, say where the model is, and upload it (privately) where asked to."""
    from huggingface_hub import HfApi

    from selfjudge_training.dry_run import dry_run
    from selfjudge_training.run.processes import processes

    config = load_config(kind, options.config, options.overrides)
    if options.dry_run:
        dry_run(config, options.tokenizer)
        print("the dry run passed")
        return
    folder = train(config, options.output)
    if processes().is_main_process:
        print(f"model in {folder}")
        if options.push_to_hub is not None:
            repository = HfApi().create_repo(options.push_to_hub, private=True, exist_ok=True)
            HfApi().upload_folder(repo_id=repository.repo_id, folder_path=folder)
            print(f"and on {repository}")
