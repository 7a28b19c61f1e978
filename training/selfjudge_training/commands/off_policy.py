"""`selfjudge-train off-policy`: self-training from a buffer that is filled once, for comparison."""

import argparse

from selfjudge_training.commands.run_arguments import add_run_arguments

NAME = "off-policy"
HELP = "comparison arm: self-training from samples of the initial policy"
DESCRIPTION = (
    "Self-training from a fixed buffer (table 4): two samples of the initial policy to each prompt, judged once, then "
    "trained on for all epochs. Takes the configurations of self-train and leaves the same files. An interrupted run "
    "goes on where it was."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_run_arguments(parser, config="self-train-tiny", output="off-policy")


def run(options: argparse.Namespace) -> int:
    """Trains it."""
    from selfjudge_training.arms.off_policy import train_off_policy  # noqa: PLC0415
    from selfjudge_training.run.config import load_config, recipe_path  # noqa: PLC0415
    from selfjudge_training.self_training.config import SelfTrainingConfig  # noqa: PLC0415
    from selfjudge_training.self_training.dry_run import dry_run  # noqa: PLC0415

    config = load_config(SelfTrainingConfig, recipe_path(options.config), options.overrides)
    if options.dry_run:
        dry_run(config, options.tokenizer, train_off_policy)
        print("the dry run passed")
        return 0
    print(f"model in {train_off_policy(config, options.output)}")
    return 0
