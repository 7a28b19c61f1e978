"""The report of a policy: its answers, its win rate against a baseline, and self-rejection over N."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from selfjudge_training.evaluation.plots import GREEN, by_category
from selfjudge_training.evaluation.policy.policy_figures import AnswerFigures, WinRate
from selfjudge_training.evaluation.policy.sweep import Point
from selfjudge_training.evaluation.report import Plot, Report, Table


class PolicyEvaluation(NamedTuple):
    """A policy on one set of questions."""

    generator: str
    answers: AnswerFigures
    comparison: WinRate | None
    sweep: list[Point] | None


ANSWERS_COLUMNS = ("policy", "questions", "length", "4-gram repetition", "unfinished", "too long", "exact match")
WIN_RATE_COLUMNS = (
    "baseline", "win rate", "wins", "ties", "losses", "judge's position consistency", "label mass", "length",
    "its length",
)  # fmt: skip
SWEEP_COLUMNS = ("N", "win rate", "label mass", "length", "4-gram repetition", "exact match", "unfinished")
"""Each in the order of the figures' fields."""

ANSWERS_NOTE = (
    "One answer to each question. Length in characters; repetition: share of 4-grams of words that come again; "
    "unfinished: cut off by the limit of new tokens, or too long; too long: questions with a turn for which the "
    "model's context had no room, so that neither it nor those behind it were asked."
)
WIN_RATE_NOTE = (
    "Share of questions whose answer beats the baseline's in the judge's eyes, both orders averaged, a tie counting "
    "half. Judges tend to like longer answers: mind the lengths. Label mass: how much of the judge's answers was a "
    "choice; what can't be read counts as a tie."
)
SWEEP_NOTE = (
    "The winner of a tournament among N samples. Without a baseline of its own the win rate is against one more sample "
    "of the policy, so that it is 1/2 at N = 1 but for chance."
)


def policy_report(result: PolicyEvaluation, setting: Mapping[str, object]) -> Report:
    """The report of one policy on one set of questions."""
    tables, plots = _answers(result.generator, result.answers)
    summary = [f"{result.generator} answered {result.answers.questions:,} questions."]
    if result.answers.too_long:
        summary.append(f"{result.answers.too_long:,} of them have a turn that is too long for its context.")
    if result.comparison:
        won = result.comparison.win_rate
        summary.append(
            f"It wins {won.mean:.1%} ({won.low:.1%} to {won.high:.1%}) against {result.comparison.baseline}."
        )
        more_tables, more_plots = _comparison(result.comparison)
        tables, plots = [*tables, *more_tables], [*plots, *more_plots]
    if result.sweep:
        first, last = result.sweep[0], result.sweep[-1]
        summary.append(
            f"Self-rejection: win rate {first.win_rate.mean:.1%} at N = {first.n}, {last.win_rate.mean:.1%} "
            f"({last.win_rate.low:.1%} to {last.win_rate.high:.1%}) at N = {last.n}."
        )
        tables.append(Table("Self-rejection", SWEEP_NOTE, SWEEP_COLUMNS, result.sweep))
        plots.append(
            Plot("self-rejection", "Self-rejection over N", sweep_curves(result.sweep, f"{result.generator}, by N"))
        )
    return Report(f"{result.generator} as a policy", summary, setting, tables, plots, result)


def _answers(generator: str, figures: AnswerFigures) -> tuple[list[Table], list[Plot]]:
    exact = figures.exact_match
    row = (generator, *figures[:-1], exact and exact.overall)
    tables = [Table("Answers", ANSWERS_NOTE, ANSWERS_COLUMNS, [row])]
    if exact is None or not exact.by_category:
        return tables, []
    note = "Share of answers that are exactly right."
    tables.append(Table("Exact match by category", note, ("category", "exact match"), list(exact.by_category.items())))
    plot = by_category({"exact match": exact.by_category}, "exact match by category", chance=None)
    return tables, [Plot("exact-match", "Exact match by category", plot)]


def _comparison(figures: WinRate) -> tuple[list[Table], list[Plot]]:
    tables = [Table("Win rate", WIN_RATE_NOTE, WIN_RATE_COLUMNS, [figures[1:-1]])]
    if not figures.by_category:
        return tables, []
    note = "The same judgments, by category of the question."
    tables.append(Table("Win rate by category", note, ("category", "win rate"), list(figures.by_category.items())))
    caption = f"Win rate against {figures.baseline}, by category; dashed: equal"
    return tables, [Plot("win-rate", caption, by_category({"win rate": figures.by_category}, "win rate by category"))]


def sweep_curves(points: Sequence[Point], title: str) -> Figure:
    """Figure 4: win rate, mean length and 4-gram repetition over N, and exact match where it is known."""
    curves = {
        "win rate": [point.win_rate for point in points],
        "length, characters": [point.length for point in points],
        "4-gram repetition": [point.repetition for point in points],
    }
    matches = [point.exact_match for point in points if point.exact_match]
    if matches:
        curves = {"exact match": matches, **curves}
    sizes = [point.n for point in points]
    figure = Figure(figsize=(3.6 * len(curves), 3.6), layout="constrained")
    for axes, (name, estimates) in zip(figure.subplots(1, len(curves)), curves.items(), strict=True):
        axes.plot(sizes, [one.mean for one in estimates], "o-", color=GREEN)
        axes.fill_between(
            sizes, [one.low for one in estimates], [one.high for one in estimates], color=GREEN, alpha=0.15, lw=0
        )
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set(xlabel="N", title=name)
        if not any(one.high for one in estimates):
            axes.set_ylim(0, 1)  # all zero: no scale of its own
        axes.grid(alpha=0.3)
    figure.suptitle(title)
    return figure
