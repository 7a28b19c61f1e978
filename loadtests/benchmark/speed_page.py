"""The page `speed`, and its plot: throughput by N for every number of clients, and ratios to the others."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.benchmark.figures import OTHERS, ByScore, Cell, Figures, Measured, Run, summarise
from loadtests.benchmark.prompts import Prompts
from loadtests.report import Results, Spread, table
from loadtests.workload import Sampling

_INTRO: Final = """\
What a tournament costs, by the command below. Four contenders hold the same with judgments in both orders:

* **server**: one request with `best_of_n`; it does not judge equal texts, nor two texts twice;
* **bound**: the bare engine computes the same prompts in ideal batches, without HTTP, rendering or bracket;
* **client**: one request with `n`, then one for each of the N - 1 matches, a round's all at once;
* **thrifty client**: the same without the judgments that the server leaves out.

They take turns in every round, each with an empty prefix cache, in closed loops. The server's candidates differ from
the others', because vLLM's `n` derives seeds differently. Figures are medians over rounds, in brackets the least and
greatest. Ratios of tournaments a second are taken within a round; judging / sampling is the bare engine's time. p50 and
p95 are the server's seconds from request to answer; the last column is p50 over that of a plain answer (N = 1).
"""
_HEAD: Final = [
    *("prompts", "N", "clients", "tournaments/s", *(f"server / {name}" for name in OTHERS)),
    *("judging / sampling", "p50", "p95", "p50 / N=1"),
]
_COLOURS: Final = {"bound": "0.4", "server": "tab:blue", "client": "tab:orange", "thrifty client": "tab:green"}
_TARGETS: Final = {"bound": 0.85, "client": 1.5}


def results(prompts: Prompts, sampling: Sampling, measured: Sequence[Measured]) -> Results:
    """What was found, for people and for programs."""
    figures = summarise(measured)
    conditions = {
        "sampling": f"temperature {sampling.temperature:g}, at most {sampling.max_tokens} tokens",
        "rounds": str(prompts.rounds),
        "same winner": f"bound and clients agree in {min(one.same_winner for one in figures):.0%}, in the worst row",
        "judge reads of one tournament": "; ".join(_judging(figures)),
    }
    sections = [
        table(_HEAD, map(_row, figures)),
        *_by_score(figures),
        f"![Throughput and ratios]({prompts.page}.png)\n",
    ]
    data = {"figures": figures, "runs": [_run(one) for one in measured]}
    intro = f"# {prompts.title}\n\n{_INTRO}"
    return Results(prompts.page, intro, conditions, sections, data, _draw(figures))


def _row(one: Figures) -> list[object]:
    throughput = f"{one.throughput['server'].median:.2f}"
    judging = one.judging_over_sampling if one.cell.best_of_n > 1 else ""
    latency = (f"{seconds:.3f}" for seconds in one.latency[:2])
    over_plain = "" if one.latency_over_plain is None else f"{one.latency_over_plain:.1f}"
    cell = (one.cell.prompts, one.cell.best_of_n, one.cell.clients)
    return [*cell, throughput, *(one.server_over[name] for name in OTHERS), judging, *latency, over_plain]


def _by_score(figures: Sequence[Figures]) -> Iterator[str]:
    rows = [_by_score_row(one.cell, one.by_score) for one in figures if one.cell.best_of_n > 1 and one.by_score]
    if rows:
        yield "The server where it finds the best by score, with one judge read for each answer:\n\n"
        yield table(("prompts", "N", "clients", "by score / tournaments", "p50", "judge tokens", "cached"), rows)


def _by_score_row(cell: Cell, found: ByScore) -> list[object]:
    judging = (f"{found.judging.tokens:.0f}", f"{found.judging.cached_share:.0%}")
    return [cell.prompts, cell.best_of_n, cell.clients, found.over_tournaments, f"{found.latency.p50:.3f}", *judging]


def _judging(figures: Sequence[Figures]) -> Iterator[str]:
    """Of each N with the most clients; how many clients there are hardly matters."""
    most = {(one.cell.prompts, one.cell.best_of_n): one for one in figures if one.cell.best_of_n > 1}
    for (kind, n), one in most.items():
        matches, tokens, cached = one.judging
        yield f"{kind}, N={n}: {matches:.1f} matches, {tokens:.0f} tokens, {cached:.0%} cached"


def _run(measured: Measured) -> dict[str, Any]:
    return {"cell": measured.cell, "round": measured.round, "contenders": dict(map(_totals, measured.runs.items()))}


def _totals(item: tuple[str, Run]) -> tuple[str, dict[str, Any]]:
    name, run = item
    counts = ("sampled_tokens", "judgments", "judge_tokens", "cached_tokens")
    totals = {count: sum(getattr(outcome, count) for outcome in run.outcomes) for count in counts}
    return name, {"seconds": run.seconds, "latencies": sorted(one.seconds for one in run.outcomes), **totals}


def _draw(figures: Sequence[Figures]) -> Figure:
    columns = list(dict.fromkeys((one.cell.prompts, one.cell.clients) for one in figures))
    picture = Figure(figsize=(4 * len(columns), 7), layout="constrained")
    upper, lower = picture.subplots(2, len(columns), squeeze=False, sharey="row")
    for above, below, (kind, count) in zip(upper, lower, columns, strict=True):
        chosen = [one for one in figures if (one.cell.prompts, one.cell.clients) == (kind, count)]
        above.set_title(f"{kind}, {count} client{'s' if count > 1 else ''}")
        for name in _COLOURS:
            _line(above, chosen, [one.throughput[name] for one in chosen], name, name)
        above.set_yscale("log")
        for name in OTHERS:
            _line(below, chosen, [one.server_over[name] for one in chosen], f"server / {name}", name)
        for name, target in _TARGETS.items():
            below.axhline(target, color=_COLOURS[name], linestyle=":", linewidth=1)
        below.set_ylim(bottom=0)
        below.set_xlabel("N")
    upper[0].set_ylabel("tournaments a second")
    lower[0].set_ylabel("ratio of tournaments a second")
    upper[-1].legend()
    lower[-1].legend()
    return picture


def _line(axes: Axes, figures: Sequence[Figures], values: Sequence[Spread], label: str, contender: str) -> None:
    n = [one.cell.best_of_n for one in figures]
    middle = [value.median for value in values]
    below = [value.median - value.low for value in values]
    above = [value.high - value.median for value in values]
    axes.errorbar(n, middle, yerr=[below, above], label=label, color=_COLOURS[contender], marker="o", capsize=3)
    axes.set_xscale("log", base=2)
    axes.set_xticks(n, [str(one) for one in n])
