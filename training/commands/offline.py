"""`selfjudge-train offline`: DPO on a preference set, for comparison."""

import argparse
from pathlib import Path

NAME = "offline"
HELP = "comparison arm: DPO on a preference set, nothing sampled"
DESCRIPTION = (
    "Offline DPO (section 4.2, table 4) by TRL's DPOTrainer: a LoRA adapter over the model, which without it is the "
    "reference. Goes on where it was interrupted. Writes adapter/ and model/ (merged), metrics.jsonl and TensorBoard's "
    "events."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--config", required=True, help="YAML file, or the name of one that ships")
    parser.add_argument("--output", type=Path, default=Path("build", "offline"), help="folder of the run")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="replaces a value of the configuration")


def run(options: argparse.Namespace) -> int:
    """Trains it."""
    from training.arms.offline import train_offline  # noqa: PLC0415
    from training.arms.offline_config import OfflineConfig  # noqa: PLC0415
    from training.run.config import load_config, recipe_path  # noqa: PLC0415

    config = load_config(OfflineConfig, recipe_path(options.config), options.overrides)
    print(f"model in {train_offline(config, options.output)}")
    return 0
