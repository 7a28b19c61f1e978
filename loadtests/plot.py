"""The figures as a plot: throughput by N for every number of clients, and the server's ratios to both others."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.report import Figures, Spread

_TARGETS = {"bound": 0.85, "client": 1.5}
_COLOURS = {"bound": "0.4", "server": "tab:blue", "client": "tab:orange", "thrifty client": "tab:green"}


def draw(figures: Sequence[Figures]) -> Figure:
    """The picture."""
    clients = list(dict.fromkeys(one.cell.clients for one in figures))
    picture = Figure(figsize=(4 * len(clients), 7), layout="constrained")
    grid = picture.subplots(2, len(clients), squeeze=False, sharey="row")
    for column, count in enumerate(clients):
        chosen = [one for one in figures if one.cell.clients == count]
        _throughput(grid[0][column], chosen)
        grid[0][column].set_title(f"{count} client{'s' if count > 1 else ''}")
        _ratios(grid[1][column], chosen)
    grid[0][0].set_ylabel("tournaments a second")
    grid[1][0].set_ylabel("ratio of tournaments a second")
    grid[0][-1].legend()
    grid[1][-1].legend()
    return picture


def _throughput(axes: Axes, figures: Sequence[Figures]) -> None:
    for name, colour in _COLOURS.items():
        _line(axes, figures, [one.throughput[name] for one in figures], name, colour)
    axes.set_yscale("log")


def _ratios(axes: Axes, figures: Sequence[Figures]) -> None:
    _line(axes, figures, [one.server_over_bound for one in figures], "server / bound", _COLOURS["bound"])
    _line(axes, figures, [one.server_over_client for one in figures], "server / client", _COLOURS["client"])
    _line(
        axes,
        figures,
        [one.server_over_thrifty for one in figures],
        "server / thrifty client",
        _COLOURS["thrifty client"],
    )
    for name, target in _TARGETS.items():
        axes.axhline(target, color=_COLOURS[name], linestyle=":", linewidth=1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("N")


def _line(axes: Axes, figures: Sequence[Figures], values: Sequence[Spread], label: str, colour: str) -> None:
    n = [one.cell.best_of_n for one in figures]
    middle = [value.median for value in values]
    below = [value.median - value.low for value in values]
    above = [value.high - value.median for value in values]
    axes.errorbar(n, middle, yerr=[below, above], label=label, color=colour, marker="o", capsize=3)
    axes.set_xscale("log", base=2)
    axes.set_xticks(n, [str(one) for one in n])
