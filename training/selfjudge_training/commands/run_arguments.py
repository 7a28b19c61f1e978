"""What commands ask for that work by a configuration: the configuration, a folder for what they write, a dry run."""

import argparse
from pathlib import Path

from selfjudge.shipped import SHIPPED_MODEL


def add_config_arguments(parser: argparse.ArgumentParser, *, config: str, output: Path, holds: str) -> None:
    """Options with these defaults; ``holds`` is what the folder is for."""
    parser.add_argument("--config", default=config, help="YAML file, or the name of one that ships")
    parser.add_argument("--output", type=Path, default=output, help=f"folder of the {holds}")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="replaces a value of the configuration")


def add_evaluation_arguments(parser: argparse.ArgumentParser, of: str) -> None:
    """The same for commands that measure something, its name also that of configuration and folder."""
    add_config_arguments(parser, config=f"evaluate-{of}", output=Path("build", "evaluation", of), holds="report")


def add_run_arguments(parser: argparse.ArgumentParser, *, config: str, output: str) -> None:
    """The same for commands that train."""
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


def report_model(folder: Path, options: argparse.Namespace) -> None:
    """Say where a finished model is, and upload it where that was asked for; the main process does."""
    from selfjudge_training.run.model_folder import push_to_hub  # noqa: PLC0415
    from selfjudge_training.run.processes import processes  # noqa: PLC0415

    if not processes().is_main_process:
        return
    print(f"model in {folder}")
    if options.push_to_hub is not None:
        print(f"and on {push_to_hub(folder, options.push_to_hub)}")
