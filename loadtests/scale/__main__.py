"""`python -m loadtests.scale`: measures costs, checks predictions, and says what a large load would take."""

import argparse
import asyncio
import random
import shlex
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from loadtests.machine import describe, load_average
from loadtests.scale import assumptions as assume
from loadtests.scale import files
from loadtests.scale.calibrate import Calibration, calibrate
from loadtests.scale.cells import CALIBRATION, CHECK, Cell
from loadtests.scale.check import check
from loadtests.scale.measure import Measured, Use, measure, server
from loadtests.scale.page import Report, markdown
from loadtests.scale.plan import Plan, plan, what_if

_ROOT = Path(__file__).resolve().parents[2]
_CHANGES: dict[str, list[float]] = {
    "traffic.best_of_n": [1, 4, 8],
    "traffic.response_tokens": [128, 512],
    "traffic.prompt_tokens": [128, 2048],
    "efficiency.compute": [0.3, 0.7],
    "efficiency.bandwidth": [0.5, 0.9],
    "efficiency.step_overhead_ms": [1, 10],
}


def main() -> None:
    """Measures and predicts by the command line's options."""
    args = _parse()
    try:
        assumptions = assume.load(args.assumptions, args.set)
    except assume.AssumptionsError as error:
        sys.exit(f"loadtests.scale: {error}")
    if args.measured:
        about, measured = files.read(args.measured)
    else:
        about = {**describe(args.model), "load before": f"{load_average():.1f}"}
        about["command"] = shlex.join(["python", "-m", "loadtests.scale", *sys.argv[1:]])
        measured = asyncio.run(_measure(args.model.resolve(), args.rounds, quick=args.quick))
        about["load after"] = f"{load_average():.1f}"
    calibration = calibrate([one.measurement for one in measured if one.use == "calibration"])
    checked = check(calibration, [one.measurement for one in measured if one.use == "check"])
    plans, changed = _plan(assumptions, calibration, args.gpu)
    report = Report(about, calibration, measured, checked, assumptions, plans, changed)
    print(markdown(report))
    if args.measured is None or args.output is not None:
        for path in files.write(args.output or _ROOT / "docs" / "results", report):
            print(f"wrote {path}")


async def _measure(model: Path, rounds: int, *, quick: bool) -> list[Measured]:
    cells: list[tuple[Use, Cell]] = [("calibration", cell) for cell in CALIBRATION]
    cells += [("check", cell) for cell in CHECK]
    if quick:
        cells = [(use, cell._replace(requests=max(1, cell.clients))) for use, cell in cells]
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        async with server(model, Path(folder, "log")) as connection:
            with tqdm(total=rounds * sum(cell.requests for _, cell in cells), unit="request") as bar:
                for round_ in range(rounds):
                    # The machine's pace drifts over minutes: what is calibrated on and what is checked meet it alike.
                    for use, cell in random.Random(round_).sample(cells, len(cells)):
                        bar.set_description(f"{use}: {cell.name}")
                        measured.append(Measured(use, round_, await measure(connection, cell, round_ + 1)))
                        bar.update(cell.requests)
    return sorted(measured, key=lambda one: (one.round, cells.index((one.use, one.measurement.cell))))


def _plan(
    assumptions: assume.Assumptions, calibration: Calibration, kinds: list[str]
) -> tuple[list[Plan], list[tuple[str, Plan]]]:
    front, hop = calibration.front, calibration.hop
    plans = []
    for kind in tqdm(kinds, desc="simulating", unit="replica"):
        gpu, _, gpus = kind.partition(":")
        if gpu not in assumptions.gpus:
            sys.exit(
                f"loadtests.scale: --gpu {kind}: expected {', '.join(assumptions.gpus)}, or one of them with :GPUS"
            )
        plans.append(plan(assumptions, gpu, int(gpus or 1), front, hop))
    first = kinds[0].partition(":")[0]
    return plans, what_if(assumptions, first, _CHANGES, front, hop)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.scale",
        description="Measures what sampling and judging cost on this machine, simulates a server from that, checks the "
        "simulation against other measurements, and predicts what a load would take on GPUs. About 25 minutes.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--model", type=Path, default=_ROOT / "models" / "selfjudge-tiny", help="folder of the model")
    parser.add_argument("--rounds", type=int, default=5, help="how often every cell is measured")
    parser.add_argument(
        "--measured",
        type=Path,
        metavar="FILE",
        help="a scale.json: predict from its measurements; nothing is measured, and written only with --output",
    )
    parser.add_argument("--quick", action="store_true", help="one request a client: tries it out, tells nothing")
    parser.add_argument("--assumptions", type=Path, default=assume.SHIPPED, help="GPUs, model, efficiency, traffic")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change one of them")
    parser.add_argument(
        "--gpu",
        nargs="+",
        default=["h100", "h200", "a100", "l40s", "h100:2"],
        help="kinds of replica, NAME or NAME:GPUS",
    )
    parser.add_argument("--output", type=Path, help="folder for scale.json, .md, .png and .svg; default: docs/results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
