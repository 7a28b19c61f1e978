"""The report of a policy: its answers, its win rate against a baseline, and self-rejection over N."""

from collections.abc import Mapping, Sequence

from selfjudge_training.evaluation.plots import by_category, sweep_curves
from selfjudge_training.evaluation.policy_evaluation import AnswerFigures, PolicyEvaluation
from selfjudge_training.evaluation.report import Plot, Report, Table
from selfjudge_training.evaluation.sweep import Point
from selfjudge_training.evaluation.win_rate import WinRate

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
        tables.append(_sweep_table(result.sweep))
        plots.append(
            Plot("self-rejection", "Self-rejection over N", sweep_curves(result.sweep, f"{result.generator}, by N"))
        )
    return Report(f"{result.generator} as a policy", summary, setting, tables, plots, result)


def _answers(generator: str, figures: AnswerFigures) -> tuple[list[Table], list[Plot]]:
    columns = ["policy", "questions", "length", "4-gram repetition", "unfinished", "too long"]
    row: list[object] = [
        generator,
        figures.questions,
        figures.length,
        figures.repetition,
        figures.unfinished,
        figures.too_long,
    ]
    if figures.exact_match is None:
        return [Table("Answers", ANSWERS_NOTE, columns, [row])], []
    tables = [Table("Answers", ANSWERS_NOTE, [*columns, "exact match"], [[*row, figures.exact_match.overall]])]
    by_task = figures.exact_match.by_task
    if not by_task:
        return tables, []
    note = "Share of answers that are exactly right."
    tables.append(Table("Exact match by task", note, ["task", "exact match"], list(by_task.items())))
    plot = by_category({"exact match": by_task}, "exact match by task", chance=None)
    return tables, [Plot("exact-match", "Exact match by task", plot)]


def _comparison(figures: WinRate) -> tuple[list[Table], list[Plot]]:
    columns = (
        "baseline", "win rate", "wins", "ties", "losses", "judge's position consistency", "label mass", "length",
        "its length",
    )  # fmt: skip
    row = (
        figures.baseline,
        figures.win_rate,
        figures.wins,
        figures.ties,
        figures.losses,
        figures.position_consistency,
        figures.label_mass,
        figures.length,
        figures.baseline_length,
    )
    tables = [Table("Win rate", WIN_RATE_NOTE, columns, [row])]
    if not figures.by_category:
        return tables, []
    note = "The same judgments, by category of the question."
    tables.append(Table("Win rate by category", note, ("category", "win rate"), list(figures.by_category.items())))
    caption = f"Win rate against {figures.baseline}, by category; dashed: equal"
    return tables, [Plot("win-rate", caption, by_category({"win rate": figures.by_category}, "win rate by category"))]


def _sweep_table(points: Sequence[Point]) -> Table:
    columns = ["N", "win rate", "label mass", "length", "4-gram repetition", "unfinished"]
    rows: list[list[object]] = [
        [one.n, one.win_rate, one.label_mass, one.length, one.repetition, one.unfinished] for one in points
    ]
    if points[0].exact_match:
        columns.append("exact match")
        rows = [[*row, one.exact_match] for row, one in zip(rows, points, strict=True)]
    return Table("Self-rejection", SWEEP_NOTE, columns, rows)
