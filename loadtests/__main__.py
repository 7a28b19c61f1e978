"""`python -m loadtests [EXPERIMENT]`: measures, and writes a page, its plot and the figures behind them."""

import argparse
import shlex
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast

import uvloop

from loadtests.machine import describe
from loadtests.report import Results, write
from selfjudge.shipped import TINY_MODEL, full_name, prepare_folder

_ROOT: Final = Path(__file__).resolve().parents[1]
_EXPERIMENTS: Final = {
    "speed": "loadtests.benchmark.speed",
    "scenarios": "loadtests.scenarios.suite",
    "overload": "loadtests.overload.beyond",
    "swaps": "loadtests.swaps.switching",
    "restarts": "loadtests.restarts",
}


class Experiment(Protocol):
    """A module that measures something. What it imports at once must not be vLLM, which reads its environment then."""

    __doc__: str | None

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add options of its own."""

    def measure(self, args: argparse.Namespace, flags: Sequence[str]) -> AsyncIterator[Results]:
        """Yield a page's results as soon as they are there. Flags are those of selfjudge-serve."""


def main() -> None:
    """Runs the experiment that the command line names; the benchmark if it names none."""
    words = sys.argv[1:]
    name = words.pop(0) if words and words[0] in _EXPERIMENTS else "speed"
    experiment = cast("Experiment", import_module(_EXPERIMENTS[name]))
    args, flags = _options(name, experiment).parse_known_args(words)
    about = {**describe(args.model), "command": shlex.join(["python", "-m", "loadtests", *sys.argv[1:]])}
    if failed := uvloop.run(_run(experiment, args, flags, about)):
        sys.exit(f"does not hold: {'; '.join(failed)}")


async def _run(
    experiment: Experiment, args: argparse.Namespace, flags: Sequence[str], about: Mapping[str, str]
) -> list[str]:
    failed: list[str] = []
    async for results in experiment.measure(args, flags):
        for path in write(args.output, about, results):
            print(f"wrote {path}")
        failed += results.failed
    return failed


def _options(name: str, experiment: Experiment) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m loadtests {name}",
        description=experiment.__doc__,
        epilog=f"Experiments: {', '.join(_EXPERIMENTS)}. Options not listed here go to selfjudge-serve.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--model", type=_model, default=TINY_MODEL, help="folder of the model, or the name of one that ships"
    )
    parser.add_argument("--output", type=Path, default=_ROOT / "docs" / "results", help="folder for page and plot")
    experiment.add_options(parser)
    return parser


def _model(named: str) -> Path:
    shipped = full_name(named)
    return prepare_folder(shipped, print) if shipped else Path(named)


if __name__ == "__main__":
    main()
