"""`python -m loadtests.swaps`: measures, writes figures and plots, and fails where something doesn't hold."""

import argparse
import asyncio
import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from selfjudge.shipped import SHIPPED_MODEL

if TYPE_CHECKING:
    from loadtests.swaps.costs import Round
    from loadtests.swaps.scenario import Measured, Settings
    from loadtests.swaps.versions import Version

_ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> None:
    """Runs the scenario by the command line's options."""
    args = _parse()
    # Adapters are made by a model of a few MB, beside which threads only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from loadtests.machine import describe, load_average  # noqa: PLC0415
    from loadtests.swaps.files import write_report  # noqa: PLC0415
    from loadtests.swaps.logs import logs_kept_on_failure  # noqa: PLC0415
    from loadtests.swaps.report import summarise  # noqa: PLC0415
    from loadtests.swaps.scenario import Settings  # noqa: PLC0415

    settings = Settings(args.model.resolve(), args.swaps, args.clients, args.best_of_n, args.requests, args.rounds)
    about = {**describe(settings.model), "load before": f"{load_average():.1f}"}
    about["command"] = shlex.join(["python", "-m", "loadtests.swaps", *sys.argv[1:]])
    with logs_kept_on_failure() as logs:
        measured, versions, rounds = asyncio.run(_measure(settings, logs))
        report = summarise(measured, versions, rounds)
        for check in report.checks:
            print(f"{'holds' if check.holds else 'FAILS'}: {check.name}: {check.found}")
        for path in write_report(args.output, about, settings, measured, report):
            print(f"wrote {path}")
        if not all(check.holds for check in report.checks):
            sys.exit("something that must hold does not")


async def _measure(settings: "Settings", logs: Path) -> "tuple[Measured, list[Version], list[Round]]":
    from loadtests.swaps.costs import measure_costs  # noqa: PLC0415
    from loadtests.swaps.scenario import run_scenario  # noqa: PLC0415
    from loadtests.swaps.versions import publish_versions  # noqa: PLC0415
    from selfjudge.adapters.store import Store  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder, "store"))
        versions = publish_versions(settings.model, store, settings.swaps)
        measured = await run_scenario(settings, store.root, versions, logs / "swaps.log")
        return measured, versions, await measure_costs(settings, store.root, logs)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.swaps",
        description="Switches a policy's version again and again while clients ask for tournaments, and checks that no "
        "request fails, none mixes versions, latency stays within bounds and memory comes back.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="folder of the model")
    parser.add_argument("--swaps", type=int, default=100, help="switches in a row, each to a version of its own")
    parser.add_argument("--clients", type=int, default=32, help="clients at once", metavar="K")
    parser.add_argument("--best-of-n", type=int, default=8, help="candidates of each request", metavar="N")
    parser.add_argument("--requests", type=int, default=1000, help="requests of each phase without swaps")
    parser.add_argument("--rounds", type=int, default=3, help="starts of a server of each kind, to see what LoRA costs")
    parser.add_argument(
        "--output", type=Path, default=_ROOT / "docs" / "results", help="folder for the page and its plot"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
