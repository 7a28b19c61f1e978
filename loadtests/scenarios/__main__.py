"""`python -m loadtests.scenarios NAME...`: runs load scenarios, and writes figures as JSON, pages and plots."""

import argparse
import asyncio
import os
import shlex
import sys
from pathlib import Path

from loadtests.machine import describe, load_average
from loadtests.scenarios import aiperf, settings
from selfjudge.shipped import SHIPPED_MODEL

_ROOT = Path(__file__).resolve().parents[2]
_ALL = "all"


def main() -> None:
    """Runs what the command line names."""
    args, flags = _parse()
    try:
        file = settings.load(args.scenarios)
        aiperf.require_aiperf()
    except (settings.ScenariosError, aiperf.MissingError) as error:
        sys.exit(f"loadtests.scenarios: {error}")
    if unknown := set(args.names) - {_ALL, *file.scenarios}:
        sys.exit(
            f"loadtests.scenarios: no {', '.join(sorted(unknown))}; there are {', '.join([_ALL, *file.scenarios])}"
        )
    # Threads of a model of a few MB, by which adapters are made, only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name, scenario in file.scenarios.items():
        if name in args.names or _ALL in args.names:
            _run(name, scenario, file.objectives, args, flags)


def _run(
    name: str, scenario: settings.Scenario, objectives: settings.Objectives, args: argparse.Namespace, flags: list[str]
) -> None:
    from loadtests.scenarios.figures import summarise  # noqa: PLC0415
    from loadtests.scenarios.files import write  # noqa: PLC0415
    from loadtests.scenarios.run import run_scenario  # noqa: PLC0415

    if args.seconds:
        scenario = scenario.model_copy(update={"seconds": args.seconds})
    about = {**describe(args.model), "load before": f"{load_average():.1f}"}
    about["command"] = shlex.join(["python", "-m", "loadtests.scenarios", *sys.argv[1:]])
    about["requests"] = f"temperature 1, at most {scenario.max_tokens} tokens; {scenario.seconds:g} s for each cell"
    measured = asyncio.run(run_scenario(scenario, args.model.resolve(), flags))
    for path in write(args.output, about, name, scenario, objectives, measured, summarise(measured, objectives)):
        print(f"wrote {path}")


def _parse() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.scenarios",
        description="Runs load scenarios by aiperf (`make aiperf`), each on a server of its own. Options not listed "
        "here go to selfjudge-serve.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="scenarios of the file, or all")
    parser.add_argument("--scenarios", type=Path, default=settings.SHIPPED, help="file of scenarios and objectives")
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="folder of the model")
    parser.add_argument("--seconds", type=float, help="length of each cell, instead of the scenario's own")
    parser.add_argument("--output", type=Path, default=_ROOT / "docs" / "results", help="folder to write to")
    return parser.parse_known_args()


if __name__ == "__main__":
    main()
