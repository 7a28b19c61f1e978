"""The command line of the benchmark."""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from selfjudge_training.commands.arguments import positive
from selfjudge_training.rollouts.benchmark.cells import CELLS, config_of
from selfjudge_training.rollouts.benchmark.contenders import BACKENDS, measure
from selfjudge_training.rollouts.benchmark.profile import spend
from selfjudge_training.rollouts.benchmark.report import figures_of, machine, markdown, profile_page


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    command = shlex.join(["python", "-m", "selfjudge_training.rollouts.benchmark", *given])
    options.output.mkdir(parents=True, exist_ok=True)
    if options.profile:
        _profile(options, command)
    else:
        _measure(options, command)


def _measure(options: argparse.Namespace, command: str) -> None:
    cells = {}
    for name in options.cells:
        with TemporaryDirectory() as folder:
            config = config_of(CELLS[name], Path(folder, "model"))
            cells[name] = figures_of(CELLS[name], config, measure(config, Path(folder), options.steps, options.warm_up))
    figures = {**machine(), "command": command, "cells": cells}
    page = markdown(figures, command)
    (options.output / "rollouts.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (options.output / "rollouts.md").write_text(page, encoding="utf-8")
    print(page)


def _profile(options: argparse.Namespace, command: str) -> None:
    parts = []
    for name in options.cells:
        with TemporaryDirectory() as folder:
            config = config_of(CELLS[name], Path(folder, "model"))
            spent = {
                backend: spend(config, backend, Path(folder, backend), options.steps, options.warm_up)
                for backend in BACKENDS
            }
        parts.append((CELLS[name].name, spent))
    page = profile_page(parts, command)
    (options.output / "rollouts-profile.md").write_text(page, encoding="utf-8")
    print(page)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m selfjudge_training.rollouts.benchmark",
        description="Times on-policy steps with both back ends of roll-outs, in turn, and writes rollouts.json and "
        "rollouts.md; or where the processor's time of the roll-outs goes (--profile), in rollouts-profile.md.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--cells", nargs="+", choices=list(CELLS), default=list(CELLS), help="what is measured")
    parser.add_argument("--steps", type=positive, default=5, help="steps that count, in each cell")
    parser.add_argument("--warm-up", type=positive, default=2, help="steps that do not")
    parser.add_argument("--profile", action="store_true", help="profile instead; run it with OMP_NUM_THREADS=1")
    parser.add_argument("--output", type=Path, default=Path("docs", "results"), help="folder of the figures")
    return parser


if __name__ == "__main__":
    main()
