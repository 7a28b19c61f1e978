"""What the commands that train a policy ask for: a configuration, a folder for the run, or a dry run."""

import argparse
from pathlib import Path


def add_run_arguments(parser: argparse.ArgumentParser, *, config: str, output: str) -> None:
    """Options with these defaults."""
    parser.add_argument("--config", default=config, help="YAML file, or the name of one that ships")
    parser.add_argument("--output", type=Path, default=Path("build", output), help="folder of the run")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="check the configuration and the data and take one step, or up to four, with a tiny model of the same "
        "architecture and random weights; nothing is fetched from the hub (its data sets are replaced by generated "
        "rows), nothing kept",
    )
    parser.add_argument(
        "--tokenizer", type=Path, default=Path("models", "selfjudge-tiny"), help="tokenizer folder for the dry run"
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="replaces a value of the configuration")
