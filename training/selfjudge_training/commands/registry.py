"""What a command is, and how commands are put under a parser; the options that several of them have."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from typing_extensions import override


class Command(NamedTuple):
    """One command, or a group of them."""

    name: str
    help: str
    """One line."""
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None] | None
    """Imports its work inside, as PyTorch would make `--help` slow; None where the command is a group."""


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows a default where there is one: None, False and an empty list say that there is none."""

    @override
    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False, []) else super()._get_help_string(action)


def add_commands(parser: argparse.ArgumentParser, commands: Sequence[Command], under: str) -> None:
    """Add a parser for each command; the options then have its name as ``under`` and its function as ``run``."""
    parsers = parser.add_subparsers(dest=under, required=True)
    for command in commands:
        own = parsers.add_parser(
            command.name, help=command.help, description=command.description, formatter_class=_Formatter
        )
        command.add_arguments(own)
        if command.run is not None:
            own.set_defaults(run=command.run)


def group(name: str, help: str, description: str, commands: Sequence[Command]) -> Command:  # noqa: A002  # as argparse
    """A command that only has others below it."""
    return Command(name, help, description, lambda parser: add_commands(parser, commands, "action"), None)


def add_config_arguments(parser: argparse.ArgumentParser, *, config: str, output: Path, holds: str) -> None:
    """Options of what works by a configuration; ``holds`` is what the folder is for."""
    parser.add_argument("--config", default=config, help="YAML file, or the name of one that ships")
    parser.add_argument("--output", type=Path, default=output, help=f"folder of the {holds}")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="replaces a value of the configuration")


def positive(text: str) -> int:
    """An integer of 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number
