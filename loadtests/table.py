"""The figures as a Markdown page."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from loadtests.report import Figures, Spread
from loadtests.workload import Sampling

_TEXT = """# Speed

What a tournament costs, measured by `make bench`. Four contenders hold the same tournaments and judge in both orders:

* **server**: one request with `best_of_n`; it does not judge equal texts, nor two texts twice;
* **bound**: the bare engine computes the same prompts in ideal batches, without HTTP, rendering or bracket;
* **client**: one request with `n`, then one for each of the N - 1 matches, a round's all at once;
* **thrifty client**: the same without the judgments that the server leaves out.

They take turns in every round, each with an empty prefix cache, in closed loops. The server's candidates differ from
the others', because vLLM's `n` derives seeds differently. Figures are medians over rounds, in brackets the least and
greatest. Ratios of tournaments a second are taken within a round; judging / sampling is the bare engine's time. p50 and
p95 are the server's seconds from request to answer.
"""

_HEAD = [
    *("N", "clients", "tournaments/s", "server / bound", "server / client", "server / thrifty client"),
    *("judging / sampling", "p50", "p95"),
]


def markdown(about: Mapping[str, str], sampling: Sampling, rounds: int, figures: Sequence[Figures]) -> str:
    """The whole page."""
    conditions = {
        **about,
        "sampling": f"temperature {sampling.temperature:g}, at most {sampling.max_tokens} tokens",
        "rounds": str(rounds),
        "same winner": f"bound and clients agree in {min(one.same_winner for one in figures):.0%}, in the worst row",
        "judge reads of one tournament": "; ".join(_judging(figures)),
    }
    sections = [
        _TEXT,
        "".join(f"* {name}: {value}\n" for name, value in conditions.items()),
        _table(_HEAD, map(_row, figures)),
        "![Throughput and ratios](speed.png)\n",
    ]
    return "\n".join(sections)


def _row(one: Figures) -> list[str]:
    ratios = [one.server_over_bound, one.server_over_client, one.server_over_thrifty]
    return [
        *_cell(one),
        f"{one.throughput['server'].median:.2f}",
        *map(_spread, ratios),
        _spread(one.judging_over_sampling) if one.cell.best_of_n > 1 else "",
        f"{one.latency['server'].p50:.3f}",
        f"{one.latency['server'].p95:.3f}",
    ]


def _judging(figures: Sequence[Figures]) -> Iterator[str]:
    """Of each N with the most clients; how many clients there are hardly matters."""
    most = {one.cell.best_of_n: one for one in figures if one.cell.best_of_n > 1}
    for n, one in most.items():
        matches, tokens, cached = one.judging
        yield f"N={n}: {matches:.1f} matches, {tokens:.0f} tokens, {cached:.0%} cached"


def _cell(one: Figures) -> list[str]:
    return [str(one.cell.best_of_n), str(one.cell.clients)]


def _spread(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.low:.2f}-{spread.high:.2f})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---:"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
