"""The report of a policy: its answers, its win rate against a baseline, and self-rejection over N."""

from collections.abc import Mapping, Sequence

from selfjudge_training.evaluation import plots
from selfjudge_training.evaluation.judges.judgment import Judgment
from selfjudge_training.evaluation.policy.policies import Answer
from selfjudge_training.evaluation.policy.policy_figures import answer_figures, right_answers
from selfjudge_training.evaluation.policy.questions import Outputs, Question
from selfjudge_training.evaluation.report import Plot, Report, Table
from selfjudge_training.evaluation.statistics import Figures, bootstrap, rate, rates_by_category

ANSWERS_NOTE = (
    "One answer to each question. Length in characters; repetition: share of 4-grams of words that come again; "
    "unfinished: cut off by the limit of new tokens, or too long; too long: questions with a turn for which the "
    "model's context had no room, so that neither it nor those behind it were asked."
)
EXACT_MATCH_NOTE = "Share of answers that are exactly right."
WIN_RATE_NOTE = (
    "Share of questions whose answer beats the baseline's in the judge's eyes, both orders averaged, a tie counting "
    "half. Judges tend to like longer answers: mind the lengths. Position consistency: share of questions with the "
    "same winner in both orders. Label mass: how much of the judge's answers was a choice; what can't be read counts "
    "as a tie."
)
CATEGORIES_NOTE = "The same judgments, by category of the question."
SWEEP_NOTE = (
    "The winner of a tournament among N samples. Without a baseline of its own the win rate is against one more sample "
    "of the policy, so that it is 1/2 at N = 1 but for chance."
)


def policy_report(
    name: str, questions: Sequence[Question], answers: Sequence[Answer], setting: Mapping[str, object]
) -> Report:
    """The report of a policy's answers, to which a comparison and a sweep may be added."""
    report = Report(f"{name} as a policy", setting)
    figures, too_long = answer_figures(questions, answers), sum(not answer.fits for answer in answers)
    report.summary.append(f"{name} answered {len(questions):,} questions.")
    if too_long:
        report.summary.append(f"{too_long:,} of them have a turn that is too long for its context.")
    exact = figures.pop("exact_match", None)
    row: dict[str, object] = {"questions": len(questions), **figures, "too_long": too_long, "exact_match": exact}
    report.tables.append(Table("Answers", ANSWERS_NOTE, [{"policy": name, **row}]))
    if exact:
        right, caption = right_answers(questions, answers), "Exact match by category"
        by_category = _add_categories(report, questions, "exact_match", right, EXACT_MATCH_NOTE, caption, chance=None)
        row["exact_match"] = {"overall": exact, "by_category": by_category}
    report.results = {"generator": name, "answers": row, "comparison": None, "sweep": None}
    return report


def add_comparison(
    report: Report, questions: Sequence[Question], ours: Outputs, theirs: Outputs, judgments: Sequence[Judgment]
) -> None:
    """What a judge says of the outputs of two models to the same questions."""
    points, against = [judgment.points for judgment in judgments], theirs.generator
    won = rate(points)
    row: dict[str, object] = {
        "baseline": against,
        "win_rate": won,
        "wins": points.count(1.0),
        "ties": points.count(0.5),
        "losses": points.count(0.0),
        "position_consistency": rate([judgment.consistent for judgment in judgments]),
        "label_mass": rate([judgment.label_mass for judgment in judgments]),
        "length": bootstrap(list(map(len, ours.texts))),
        "baseline_length": bootstrap(list(map(len, theirs.texts))),
    }
    report.summary.append(f"It wins {won.mean:.1%} ({won.low:.1%} to {won.high:.1%}) against {against}.")
    report.tables.append(Table("Win rate", WIN_RATE_NOTE, [row]))
    caption = f"Win rate against {against}, by category; dashed: equal"
    by_category = _add_categories(report, questions, "win_rate", points, CATEGORIES_NOTE, caption, chance=0.5)
    report.results["comparison"] = {"generator": ours.generator, **row, "by_category": by_category}


def add_sweep(report: Report, name: str, points: Mapping[int, Figures]) -> None:
    """The figures of what self-rejection picks, by ascending N."""
    rows: list[dict[str, object]] = [{"n": size, "exact_match": None, **figures} for size, figures in points.items()]
    first, last = min(points), max(points)
    before, after = points[first]["win_rate"], points[last]["win_rate"]
    report.results["sweep"] = rows
    report.summary.append(
        f"Self-rejection: win rate {before.mean:.1%} at N = {first}, {after.mean:.1%} "
        f"({after.low:.1%} to {after.high:.1%}) at N = {last}."
    )
    report.tables.append(Table("Self-rejection", SWEEP_NOTE, rows))
    report.plots.append(Plot("self-rejection", "Self-rejection over N", plots.over_n(points, f"{name}, by N")))


def _add_categories(
    report: Report,
    questions: Sequence[Question],
    name: str,
    values: Sequence[float],
    note: str,
    caption: str,
    *,
    chance: float | None,
) -> Figures:
    """Adds a table and a plot of one figure by category, where there are several, and returns it."""
    prompts, categories = [question.turns[0] for question in questions], [question.category for question in questions]
    rows = rates_by_category({name: values}, prompts, categories)
    if rows:
        title = f"{name.replace('_', ' ')} by category"
        listed: list[dict[str, object]] = [{"category": category, **figures} for category, figures in rows.items()]
        report.tables.append(Table(title.capitalize(), note, listed))
        drawn = plots.by_category(rows, [name], title, chance)
        report.plots.append(Plot(name.replace("_", "-"), caption, drawn))
    return {category: figures[name] for category, figures in rows.items()}
