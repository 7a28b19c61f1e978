"""The figures as a Markdown page."""

from collections.abc import Iterable, Mapping, Sequence

from loadtests.report import Figures, Spread
from loadtests.workload import Sampling

_TEXT = """# Speed

What the tournament costs, measured by `make bench`. Four contenders hold the same tournaments, with the same prompts
and brackets, and judge in both orders (the server's candidates are others: vLLM's `n` draws choice i by seed + i, the
server hashes the two):

* **server**: one HTTP request with `best_of_n` to this server, which judges no equal texts, and no two texts twice;
* **bound**: the bare engine replays the prompts that the server's tournament needs in ideal batches, without HTTP,
  rendering or bracket;
* **client**: one HTTP request with `n` to the same server, then one for each of the N - 1 matches, a round's all at
  once;
* **thrifty client**: the same, but it leaves out the judgments that the server leaves out. Where candidates are long
  and never equal, there is nothing to leave out, and the client is as good as the thrifty one.

They take turns in every round, each beginning with an empty prefix cache. Clients are closed loops: each sends its next
request once it has an answer. Figures are medians over rounds, in brackets the least and greatest; ratios are taken
within a round.
"""

_CONTENDERS = ("bound", "server", "client", "thrifty client")
_RATIOS = ("server / bound", "server / client", "server / thrifty client")
_THROUGHPUT_HEAD = ["N", "clients", *_CONTENDERS, *_RATIOS, "same winner"]

_JUDGING_TEXT = """## What the judge reads, and what that costs

Prompt tokens of judge reads for one tournament of the server's, the share of them that came from the prefix cache, and
the bare engine's time for judging over its time for sampling. The cache shares whole blocks, on a CPU of 32 tokens, and
the shipped model's judge prompts are mostly shorter than one.
"""
_JUDGING_HEAD = ["N", "clients", "matches judged", "judge tokens", "cached", "judging / sampling"]

_LATENCY_TEXT = """## Latency

Seconds from request to the server's answer.
"""
_LATENCY_HEAD = ["N", "clients", "p50", "p95", "p50 against N=1"]


def markdown(about: Mapping[str, str], sampling: Sampling, rounds: int, figures: Sequence[Figures]) -> str:
    """The whole page."""
    judged = [one for one in figures if one.cell.best_of_n > 1]
    conditions = {
        **about,
        "sampling": f"temperature {sampling.temperature:g}, at most {sampling.max_tokens} tokens",
        "rounds": str(rounds),
    }
    sections = [
        _TEXT,
        "".join(f"* {name}: {value}\n" for name, value in conditions.items()),
        "## Tournaments a second\n",
        _table(_THROUGHPUT_HEAD, map(_throughput, figures)),
        "![Throughput and ratios](speed.png)\n",
        _JUDGING_TEXT,
        _table(_JUDGING_HEAD, map(_judging, judged)),
        _LATENCY_TEXT,
        _table(_LATENCY_HEAD, (_latency(one, figures) for one in figures)),
    ]
    return "\n".join(sections)


def _throughput(one: Figures) -> list[str]:
    return [
        *_cell(one),
        *(_spread(one.throughput[name]) for name in _CONTENDERS),
        _spread(one.server_over_bound),
        _spread(one.server_over_client),
        _spread(one.server_over_thrifty),
        f"{one.same_winner:.0%}",
    ]


def _judging(one: Figures) -> list[str]:
    matches, tokens, cached = one.judging
    return [*_cell(one), f"{matches:.1f}", f"{tokens:.0f}", f"{cached:.0%}", _spread(one.judging_over_sampling)]


def _latency(one: Figures, figures: Sequence[Figures]) -> list[str]:
    p50, p95 = one.latency["server"]
    plain = [
        other.latency["server"].p50
        for other in figures
        if other.cell.best_of_n == 1 and other.cell.clients == one.cell.clients
    ]
    return [*_cell(one), f"{p50:.3f}", f"{p95:.3f}", f"{p50 / plain[0]:.1f}x" if plain else "-"]


def _cell(one: Figures) -> list[str]:
    return [str(one.cell.best_of_n), str(one.cell.clients)]


def _spread(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.low:.2f}-{spread.high:.2f})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---:"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
