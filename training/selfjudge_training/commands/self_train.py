"""`selfjudge-train self-train`: preference learning of a model that JSFT made, on-policy or as it is compared."""

import argparse

from selfjudge_training.commands.run_arguments import add_run_arguments, report_model

NAME = "self-train"
HELP = "train a JSFT model on its own judgments of its own samples"
DESCRIPTION = (
    "On-policy self-training (section 3.2): per prompt two samples of the policy, judged in both orders by the frozen "
    "reference, teach a LoRA adapter. arm=off-policy samples the initial policy once, arm=offline learns the pairs of "
    "the data sets (table 4). Configurations that ship: self-train-hh, self-train-ultrafeedback, "
    "self-train-ultrafeedback-p, self-train-ultrafeedback-pr (7B models, the paper's hyper-parameters) and "
    "self-train-tiny (the model that ships). "
    "An interrupted run goes on from its last checkpoint. Writes adapter/ and model/ (merged; a folder for each "
    "iteration where there are several), config.yaml, metrics.jsonl and TensorBoard's events. Several processes: "
    "accelerate launch --multi_gpu --no_python selfjudge-train self-train ..."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_run_arguments(parser, config="self-train-tiny", output="self-train")


def run(options: argparse.Namespace) -> int:
    """Trains it."""
    from selfjudge_training.run.config import load_config, recipe_path  # noqa: PLC0415
    from selfjudge_training.self_training.config import SelfTrainingConfig  # noqa: PLC0415
    from selfjudge_training.self_training.dry_run import dry_run  # noqa: PLC0415
    from selfjudge_training.self_training.stage import self_train  # noqa: PLC0415

    config = load_config(SelfTrainingConfig, recipe_path(options.config), options.overrides)
    if options.dry_run:
        dry_run(config, options.tokenizer)
        print("the dry run passed")
        return 0
    report_model(self_train(config, options.output), options)
    return 0
