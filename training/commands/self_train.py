"""`selfjudge-train self-train`: on-policy self-training of a model that JSFT made."""

import argparse
from pathlib import Path

NAME = "self-train"
HELP = "train a JSFT model on its own judgments of its own samples"
DESCRIPTION = (
    "On-policy self-training (section 3.2): per prompt two samples of the policy, judged in both orders by the frozen "
    "reference, teach a LoRA adapter. An interrupted run goes on from its last checkpoint. Writes adapter/ and model/ "
    "(merged; a folder for each iteration where there are several), metrics.jsonl and TensorBoard's events. Several "
    "processes: accelerate launch --no_python selfjudge-train self-train ..."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--config", default="self-train-tiny", help="YAML file, or the name of one that ships")
    parser.add_argument("--output", type=Path, default=Path("build", "self-train"), help="folder of the run")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="replaces a value of the configuration")


def run(options: argparse.Namespace) -> int:
    """Trains it."""
    from training.run.config import load_config, recipe_path  # noqa: PLC0415
    from training.self_training.config import SelfTrainingConfig  # noqa: PLC0415
    from training.self_training.stage import self_train  # noqa: PLC0415

    config = load_config(SelfTrainingConfig, recipe_path(options.config), options.overrides)
    print(f"model in {self_train(config, options.output)}")
    return 0
