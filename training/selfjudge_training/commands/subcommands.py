"""How commands are put under a parser: those of `selfjudge-train`, and those below one of them."""

import argparse
from collections.abc import Sequence
from typing import Protocol

from typing_extensions import override


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows a default where there is one: None, False and an empty list say that there is none."""

    @override
    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False, []) else super()._get_help_string(action)


class Command(Protocol):
    """What the module of a command has."""

    NAME: str
    HELP: str
    DESCRIPTION: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Options of the command."""
        ...

    def run(self, options: argparse.Namespace) -> int:
        """Does it; returns the exit status."""
        ...


def add_commands(parser: argparse.ArgumentParser, commands: Sequence[Command], under: str) -> None:
    """Adds a parser for each command; the options then have its name as `under`."""
    parsers = parser.add_subparsers(dest=under, required=True)
    for command in commands:
        own = parsers.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.DESCRIPTION,
            formatter_class=_Formatter,
        )
        command.add_arguments(own)
        own.set_defaults(**{_run(under): command.run})


def run_command(options: argparse.Namespace, under: str) -> int:
    """Runs the command that was named as `under`; returns its exit status."""
    return int(getattr(options, _run(under))(options))


def _run(under: str) -> str:
    return f"run_{under}"
