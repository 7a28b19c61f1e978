"""`selfjudge-train offline`: DPO on a preference set, for comparison."""

import argparse

from selfjudge_training.commands.run_arguments import add_run_arguments

NAME = "offline"
HELP = "comparison arm: DPO on a preference set, nothing sampled"
DESCRIPTION = (
    "Offline DPO (section 4.2, table 4) by TRL's DPOTrainer: a LoRA adapter over the model, which without it is the "
    "reference. Configurations that ship: offline-hh, offline-ultrafeedback (7B models, the paper's hyper-parameters) "
    "and offline-tiny (the model that ships). An interrupted run goes on from its last checkpoint. Writes adapter/ and "
    "model/ (merged), config.yaml, metrics.jsonl and TensorBoard's events."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_run_arguments(parser, config="offline-tiny", output="offline")


def run(options: argparse.Namespace) -> int:
    """Trains it."""
    from selfjudge_training.arms.offline import train_offline  # noqa: PLC0415
    from selfjudge_training.arms.offline_config import OfflineConfig  # noqa: PLC0415
    from selfjudge_training.arms.offline_dry_run import dry_run  # noqa: PLC0415
    from selfjudge_training.run.config import load_config, recipe_path  # noqa: PLC0415

    config = load_config(OfflineConfig, recipe_path(options.config), options.overrides)
    if options.dry_run:
        dry_run(config, options.tokenizer, train_offline)
        print("the dry run passed")
        return 0
    print(f"model in {train_offline(config, options.output)}")
    return 0
