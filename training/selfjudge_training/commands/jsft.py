"""`selfjudge-train jsft`: one model that answers and judges."""

import argparse

from selfjudge_training.commands.run_arguments import add_run_arguments, report_model

NAME = "jsft"
HELP = "fine-tune a model to answer and to judge (JSFT)"
DESCRIPTION = (
    "Judge-augmented supervised fine-tuning (section 3.1) on demonstrations and preference pairs. Configurations that "
    "ship: hh, ultrafeedback, ultrafeedback-p, ultrafeedback-pr (7B, the paper's values) and jsft-tiny (the model that "
    "ships). Your own preference file: jsft start.path=MODEL start.architecture=llama "
    "data.pairs='[{format: preferences, path: FILE}]' data.demonstrations='[{format: preferences, path: FILE}]'. "
    "An interrupted run goes on from its last checkpoint. Writes model/, config.yaml, metrics.jsonl and TensorBoard's "
    "events. Several processes: accelerate launch --no_python selfjudge-train jsft ..., with --config_file "
    "training/selfjudge_training/recipes/accelerate/fsdp.yaml to share out one model."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_run_arguments(parser, config="jsft-tiny", output="jsft")


def run(options: argparse.Namespace) -> int:
    """Trains it."""
    from selfjudge_training.jsft.config import JsftConfig  # noqa: PLC0415
    from selfjudge_training.jsft.dry_run import dry_run  # noqa: PLC0415
    from selfjudge_training.jsft.stage import run_jsft  # noqa: PLC0415
    from selfjudge_training.run.config import load_config, recipe_path  # noqa: PLC0415

    config = load_config(JsftConfig, recipe_path(options.config), options.overrides)
    if options.dry_run:
        dry_run(config, options.tokenizer)
        print("the dry run passed")
        return 0
    report_model(run_jsft(config, options.output), options)
    return 0
