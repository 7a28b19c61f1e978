"""`python -m loadtests`: measures, and writes figures as JSON, a table and plots."""

import argparse
import shlex
import sys
from pathlib import Path

from loadtests.workload import Sampling, make_cells
from selfjudge.shipped import SHIPPED_MODEL

_ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Runs the benchmark by the command line's options."""
    args = _parse()
    # vLLM reads its environment while it is imported; reading the launcher's options sets it.
    from selfjudge_service.server.launcher import read_options  # noqa: PLC0415

    read_options([str(args.model)])

    import uvloop  # noqa: PLC0415

    from loadtests.benchmark import Settings, measure  # noqa: PLC0415
    from loadtests.files import write_report  # noqa: PLC0415
    from loadtests.machine import describe, load_average  # noqa: PLC0415

    settings = Settings(
        args.model.resolve(),
        make_cells(args.best_of_n, args.clients, quick=args.quick),
        args.rounds,
        Sampling(args.temperature, args.max_tokens),
    )
    about = {**describe(settings.model), "load before": f"{load_average():.1f}"}
    about["command"] = shlex.join(["python", "-m", "loadtests", *sys.argv[1:]])
    measured = uvloop.run(measure(settings))
    for path in write_report(args.output, about, settings, measured):
        print(f"wrote {path}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests",
        description="Measures tournaments a second: (a) the bare engine given its prompts in ideal batches, (b) this "
        "server, (c) a client that holds the tournament over plain HTTP, and (d) one as thrifty with judgments as the "
        "server. About 15 minutes on two idle cores.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="folder of the model")
    parser.add_argument("--best-of-n", type=int, nargs="+", default=[1, 4, 8, 16], help="candidates", metavar="N")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32], help="clients at once", metavar="K")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured, for the spread")
    parser.add_argument("--max-tokens", type=int, default=32, help="longest candidate, in tokens")
    parser.add_argument("--temperature", type=float, default=1.0, help="of sampling")
    parser.add_argument(
        "--output", type=Path, default=_ROOT / "docs" / "results", help="folder for the page and its plot"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one tournament for each client: tries it out, tells nothing"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
