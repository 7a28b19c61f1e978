"""`python -m loadtests.stability`: whether verdicts depend on what else the server is doing.

The same comparisons are judged by one client, by one client again, and by many at once. Batches of other sizes add
floating-point numbers in another order, so probabilities may differ a little, and where a judge is undecided its
verdict may flip. Each run begins with an empty prefix cache. How often a judge flips with the order of the responses is
another matter: `selfjudge-train evaluate judge` measures that.
"""

import argparse
import asyncio
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from loadtests.machine import describe, load_average
from loadtests.results import write_results
from loadtests.server import Connection, running_server
from loadtests.workload import draw_jobs
from selfjudge.shipped import SHIPPED_MODEL

_ROOT = Path(__file__).resolve().parent.parent
_SAMPLING = {"temperature": 1.0, "max_tokens": 32, "top_k": 0}

_TEXT = """# Verdict stability

Whether a verdict depends on how busy the server is, measured by `python -m loadtests.stability`. The same comparisons
(two different samples of the served model for held-out prompts) are judged by one client, by one client again, and by
{clients} clients at once, each run with an empty prefix cache. Differences are to the first run; a flip is another
winner.
"""


class Judgment(NamedTuple):
    """One verdict."""

    winner: str
    probability_a: float


class Difference(NamedTuple):
    """A run beside the first one."""

    run: str
    comparisons: int
    flips: int
    largest: float
    """Of the differences of P(the first response is better)."""
    mean: float
    flipped_margin: float
    """Largest |P - 1/2| in the first run among those that flipped; 0 where none did."""


async def measure(model: Path, comparisons: int, clients: int) -> list[Difference]:
    """Judges everything three times, and compares."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_server([str(model)], Path(folder, "log")) as server:
            asked = await _comparisons(server, comparisons)
            runs = {}
            for name, at_once in (("1 client", 1), ("1 client again", 1), (f"{clients} clients", clients)):
                await server.forget()
                runs[name] = await _judge(server, asked, at_once, name)
    first, *others = runs.items()
    return [difference(name, first[1], run) for name, run in others]


async def _comparisons(server: Connection, count: int) -> list[dict[str, Any]]:
    """Pairs of different samples, each as the body of a request."""
    found: list[dict[str, Any]] = []
    with tqdm(total=count, desc="sampling") as bar:
        for job in draw_jobs(4 * count):
            if len(found) == count:
                break
            asked = {"messages": job.messages, "n": 2, "seed": job.seed, **_SAMPLING}
            one, two = (
                choice["message"]["content"] for choice in (await server.post("/v1/chat/completions", asked))["choices"]
            )
            if one != two:
                found.append({"messages": job.messages, "response_a": one, "response_b": two})
                bar.update()
    return found


async def _judge(server: Connection, asked: Sequence[dict[str, Any]], clients: int, name: str) -> list[Judgment]:
    judgments: dict[int, Judgment] = {}
    todo = iter(enumerate(asked))
    with tqdm(total=len(asked), desc=name) as bar:

        async def client() -> None:
            for index, body in todo:
                told = await server.post("/judge", body)
                judgments[index] = Judgment(told["winner"], told["probability_a"])
                bar.update()

        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(client())
    return [judgments[index] for index in range(len(asked))]


def difference(name: str, first: Sequence[Judgment], second: Sequence[Judgment]) -> Difference:
    """A run beside the first one, both in the order of the comparisons."""
    differences = [abs(one.probability_a - two.probability_a) for one, two in zip(first, second, strict=True)]
    flipped = [one for one, two in zip(first, second, strict=True) if one.winner != two.winner]
    return Difference(
        name,
        len(first),
        len(flipped),
        max(differences),
        sum(differences) / len(differences),
        max((abs(one.probability_a - 0.5) for one in flipped), default=0.0),
    )


def write(folder: Path, about: dict[str, str], clients: int, differences: Sequence[Difference]) -> list[Path]:
    """Writes the page `stability` and the figures behind it, and says where."""
    lines = [_TEXT.format(clients=clients), *(f"* {name}: {value}" for name, value in about.items()), ""]
    lines += ["| run | comparisons | flips | largest difference of P | mean | largest margin that flipped |"]
    lines += ["|---|---:|---:|---:|---:|---:|"]
    lines += [
        f"| {run} | {count:,} | {flips} | {largest:.1e} | {mean:.1e} | {margin:.1e} |"
        for run, count, flips, largest, mean, margin in differences
    ]
    data = {"about": about, "runs": differences}
    return write_results(folder, "stability", "\n".join(lines) + "\n", data)


def main() -> None:
    """Measures by the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.stability",
        description="Judges the same comparisons by one client, by one again and by many at once, and reports flips "
        "and differences of probabilities.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="folder of the model")
    parser.add_argument("--comparisons", type=int, default=1000, help="pairs to judge")
    parser.add_argument("--clients", type=int, default=64, help="clients at once in the last run")
    parser.add_argument("--output", type=Path, default=_ROOT / "docs" / "results", help="folder for the page")
    args = parser.parse_args()
    about = {**describe(args.model), "load before": f"{load_average():.1f}"}
    about["command"] = shlex.join(["python", "-m", "loadtests.stability", *sys.argv[1:]])
    differences = asyncio.run(measure(args.model.resolve(), args.comparisons, args.clients))
    for path in write(args.output, about, args.clients, differences):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
