"""`selfjudge-train off-policy`: self-training from a buffer that is filled once, for comparison."""

import argparse
from pathlib import Path

NAME = "off-policy"
HELP = "comparison arm: self-training from samples of the initial policy"
DESCRIPTION = (
    "Self-training from a fixed buffer (table 4): two samples of the initial policy to each prompt, judged once, then "
    "trained on for all epochs. Takes the configurations of self-train. Goes on where it was interrupted."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--config", default="self-train-tiny", help="YAML file, or the name of one that ships")
    parser.add_argument("--output", type=Path, default=Path("build", "off-policy"), help="folder of the run")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="replaces a value of the configuration")


def run(options: argparse.Namespace) -> int:
    """Trains it."""
    from training.arms.off_policy import train_off_policy  # noqa: PLC0415
    from training.run.config import load_config, recipe_path  # noqa: PLC0415
    from training.self_training.config import SelfTrainingConfig  # noqa: PLC0415

    config = load_config(SelfTrainingConfig, recipe_path(options.config), options.overrides)
    print(f"model in {train_off_policy(config, options.output)}")
    return 0
