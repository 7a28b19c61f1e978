"""How a command is put under a parser; the options that several commands have."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from typing_extensions import override

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What `add_subparsers` gives."""


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows a default where there is one: None, False and an empty list say that there is none."""

    @override
    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False, []) else super()._get_help_string(action)


def add_command(
    commands: Commands, name: str, summary: str, description: str, run: Callable[[argparse.Namespace], None]
) -> argparse.ArgumentParser:
    """A parser for the options of ``run``, which imports its work inside: PyTorch would make `--help` slow."""
    parser = commands.add_parser(name, help=summary, description=description, formatter_class=_Formatter)
    parser.set_defaults(run=run)
    return parser


def add_config_arguments(parser: argparse.ArgumentParser, *, config: str, output: Path, holds: str) -> None:
    """Options of what works by a configuration; ``holds`` is what the folder is for."""
    parser.add_argument("--config", default=config, help="YAML file, or the name of one that ships")
    parser.add_argument("--output", type=Path, default=output, help=f"folder of the {holds}")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="replaces a value of the configuration")
