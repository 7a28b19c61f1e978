"""scale.md: what was checked, what was measured, and what it means for a large load."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from loadtests.scale.assumptions import Assumptions
from loadtests.scale.calibrate import Calibration
from loadtests.scale.check import GOAL, Checked, Pair, median_error
from loadtests.scale.measure import Measured
from loadtests.scale.plan import Plan

_TEXT: Final = """# Scale

What the scale model says, made by `python -m loadtests.scale`; [how it works](../scale.md). Costs were measured on the
machine below with the model that ships, and checked there. **The figures for GPUs are predictions from data sheets:
nothing was measured on a GPU.**
"""
_CHECK: Final = """## Predictions against measurements

Cells that the costs do not come from; generator and server share the machine. Measured: median over rounds, in brackets
the least and greatest. The lengths of prompts and judge prompts are given, as they depend on what the texts are. Of
Poisson arrivals there is no throughput: whoever sends them sets it. "Time given" is the error that is left when the
simulation is told how much processor time the server took for a cell, as a machine's pace varies.
"""
_CHECK_HEAD: Final = [
    "cell",
    *("requests/s", "predicted", "error", "time given"),
    *("p50 (s)", "predicted", "error", "time given"),
]
_PLAN: Final = """## A large load on GPUs

One replica is simulated: its capacity, with always more to do, and its latency at a share of that. Front ends cost what
they cost on the machine above, in one process for each replica; where "front busy" is near 100%, they are the limit and
not the GPU. "Sampling" is the share of computed tokens that are not judging.
"""
_PLAN_HEAD: Final = [
    "GPU",
    "GPUs a replica",
    "requests/s a replica",
    "replicas",
    "GPUs",
    "p50 (s)",
    "p95 (s)",
    "front busy",
    "sampling",
    "judge tokens cached",
]
_WHAT_IF: Final = """## What it depends on

The first kind of replica, with one assumption changed at a time.
"""


class Report(NamedTuple):
    """Everything there is to write."""

    about: Mapping[str, str]
    calibration: Calibration
    measured: Sequence[Measured]
    checked: Sequence[Checked]
    assumptions: Assumptions
    plans: Sequence[Plan]
    what_if: Sequence[tuple[str, Plan]]


def markdown(report: Report) -> str:
    """The whole page."""
    sections = [
        _TEXT,
        _list(report.about),
        *_checked(report.checked),
        "## Costs\n",
        _costs(report.calibration),
        _PLAN,
        _list(_assumed(report.assumptions)),
        _table(_PLAN_HEAD, map(_plan, report.plans)),
        _answer(report),
        _WHAT_IF,
        _table(["changed", *_PLAN_HEAD], ([name, *_plan(one)] for name, one in report.what_if)),
    ]
    return "\n".join(sections)


def pairs(one: Checked) -> dict[str, Pair]:
    """The figures of a cell that have a measurement and a prediction."""
    return {name: pair for name in ("throughput", "latency") if (pair := getattr(one, name))}


def _checked(checked: Sequence[Checked]) -> list[str]:
    figures = [pair for one in checked for pair in pairs(one).values()]
    within = sum(abs(pair.error) <= GOAL for pair in figures)
    within_given_time = sum(abs(pair.error_given_time) <= GOAL for pair in figures)
    rows = ([one.cell.name, *_figures(one.throughput, ".1f"), *_figures(one.latency, ".3f")] for one in checked)
    summary = (
        f"Median error: throughput {median_error(checked, 'throughput'):.0%}, latency "
        f"{median_error(checked, 'latency'):.0%}. {within} of {len(figures)} figures are within {GOAL:.0%}, and "
        f"{within_given_time} with processor time given; errors beyond are bold.\n"
    )
    return [_CHECK, _table(_CHECK_HEAD, rows), summary, "![Measured and predicted](scale.png)\n"]


def _figures(pair: Pair | None, form: str) -> list[str]:
    if pair is None:
        return ["-", "-", "-", "-"]
    return [
        f"{pair.measured:{form}} ({pair.low:{form}}-{pair.high:{form}})",
        f"{pair.predicted:{form}}",
        _error(pair.error),
        _error(pair.error_given_time),
    ]


def _error(error: float) -> str:
    text = f"{error:+.0%}"
    return text if abs(error) <= GOAL else f"**{text}**"


def _costs(calibration: Calibration) -> str:
    costs = [
        *(["engine", name, value] for name, value in calibration.engine._asdict().items()),
        *(["front end", name, value] for name, value in calibration.front._asdict().items()),
        ["between them", "message", calibration.hop],
    ]
    table = _table(["", "for each", "µs"], ([where, name, f"{1e6 * value:.3g}"] for where, name, value in costs))
    return (
        f"{table}\nProcessor time; work took {calibration.stretch:.2f} times as long: the machine was shared with "
        "the load generator and whatever else ran.\n"
    )


def _assumed(assumptions: Assumptions) -> dict[str, str]:
    traffic, model, efficiency = assumptions.traffic, assumptions.model, assumptions.efficiency
    return {
        "load": f"{traffic.requests_per_second:g} requests/s, N={traffic.best_of_n}, prompts of "
        f"{traffic.prompt_tokens} tokens, candidates of {traffic.response_tokens:g} (standard deviation "
        f"{traffic.response_variation:.0%} of that), all different; replicas at {traffic.utilization:.0%} of their "
        f"capacity ({traffic.source})",
        "model": f"{model.name}: {model.parameters_billion:g} billion parameters, {model.layers} layers, "
        f"{model.kv_heads} key-value heads ({model.source})",
        "attained": f"{efficiency.compute:.0%} of FLOP/s, {efficiency.bandwidth:.0%} of bandwidth, "
        f"{efficiency.step_overhead_ms:g} ms a step besides ({efficiency.source})",
        **{
            gpu.name: f"{gpu.tflops:g} TFLOP/s, {gpu.bandwidth_tb_s:g} TB/s, {gpu.memory_gb:g} GB ({gpu.source})"
            for gpu in assumptions.gpus.values()
        },
    }


def _plan(one: Plan) -> list[str]:
    return [
        one.gpu,
        str(one.gpus),
        f"{one.capacity:.2f}",
        str(one.replicas),
        str(one.total_gpus),
        f"{one.p50:.1f}",
        f"{one.p95:.1f}",
        f"{one.front_busy:.0%}",
        f"{one.sampling_share:.0%}",
        f"{one.cached_share:.0%}",
    ]


def _answer(report: Report) -> str:
    traffic, first = report.assumptions.traffic, report.plans[0]
    load = f"{traffic.requests_per_second:g} requests/s of N={traffic.best_of_n}"
    return f"{load} would take {first.total_gpus} {first.gpu} in {first.replicas} replicas.\n"


def _list(facts: Mapping[str, str]) -> str:
    return "".join(f"* {name}: {fact}\n" for name, fact in facts.items())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, ["---"] * len(head), *rows])
