"""What a policy's answers are worth, by themselves and against a baseline, and self-rejection over N.

Length stands beside the win rate because judges tend to like longer responses (section 5.3).
"""

from collections.abc import Mapping, Sequence

from selfjudge import Comparison
from selfjudge_training.evaluation import plots
from selfjudge_training.evaluation.judges import Judge, Judgment, decide
from selfjudge_training.evaluation.policies import Answer
from selfjudge_training.evaluation.policy.questions import Outputs, Question, answer_key
from selfjudge_training.evaluation.report import Plot, Report, Table
from selfjudge_training.evaluation.statistics import Figures, bootstrap, rate, rates_by_category

NGRAM = 4

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


def answer_figures(questions: Sequence[Question], answers: Sequence[Answer]) -> Figures:
    """What can be said of answers without a judge, `exact_match` where every right answer is known.

    A question stands there once for each answer to it.
    """
    prompts = [question.turns[0] for question in questions]
    figures = {
        "length": bootstrap([len(answer.text) for answer in answers], prompts),
        "repetition": bootstrap([repetition(answer.text) for answer in answers], prompts),
        "unfinished": rate([not answer.finished for answer in answers], prompts),
    }
    if right := right_answers(questions, answers):
        figures["exact_match"] = rate(right, prompts)
    return figures


def right_answers(questions: Sequence[Question], answers: Sequence[Answer]) -> list[bool]:
    """Which answers are exactly right; empty where that of a question is not known."""
    key = answer_key(questions)
    return [answer.text == key[question.turns[0]] for question, answer in zip(questions, answers, strict=True) if key]


def compare(
    judge: Judge, questions: Sequence[Question], outputs: Sequence[str], baseline: Sequence[str]
) -> list[Judgment]:
    """A judgment of each question's output, first, against the baseline's."""
    rows = zip(questions, outputs, baseline, strict=True)
    return decide(judge, [Comparison(question.first_turn, ours, theirs) for question, ours, theirs in rows])


def repetition(text: str) -> float:
    """Share of 4-grams of words that came before, in [0, 1] (figure 4; the paper does not define its measure)."""
    words = text.split()
    grams = [tuple(words[start : start + NGRAM]) for start in range(len(words) - NGRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def policy_report(
    name: str, questions: Sequence[Question], answers: Sequence[Answer], setting: dict[str, object]
) -> Report:
    """The report of a policy's answers, to which a comparison and a sweep may be added."""
    report = Report(f"{name} as a policy", setting)
    figures, too_long = answer_figures(questions, answers), sum(not answer.fits for answer in answers)
    report.summary.append(f"{name} answered {len(questions):,} questions.")
    if too_long:
        report.summary.append(f"{too_long:,} of them have a turn that is too long for its context.")
    exact = figures.pop("exact_match", None)
    row: dict[str, object] = {"questions": len(questions), **figures, "too_long": too_long, "exact_match": exact}
    report.tables.append(Table("Answers", ANSWERS_NOTE, "policy", {name: dict(row)}))
    if exact:
        right = right_answers(questions, answers)
        by_category = _add_categories(report, questions, "exact_match", right, EXACT_MATCH_NOTE, chance=None)
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
    report.tables.append(Table("Win rate", WIN_RATE_NOTE, "baseline", {against: row}))
    by_category = _add_categories(report, questions, "win_rate", points, CATEGORIES_NOTE, chance=0.5)
    named = {"generator": ours.generator, "baseline": against}
    report.results["comparison"] = {**named, **row, "by_category": by_category}


def add_sweep(report: Report, name: str, points: Mapping[int, Figures]) -> None:
    """The figures of what self-rejection picks, by ascending N."""
    first, last = min(points), max(points)
    before, after = points[first]["win_rate"], points[last]["win_rate"]
    report.summary.append(
        f"Self-rejection: win rate {before.mean:.1%} at N = {first}, {after.mean:.1%} "
        f"({after.low:.1%} to {after.high:.1%}) at N = {last}."
    )
    report.tables.append(Table("Self-rejection", SWEEP_NOTE, "N", {str(size): row for size, row in points.items()}))
    report.plots.append(Plot("self-rejection", "Self-rejection over N", plots.over_n(points, f"{name}, by N")))
    report.results["sweep"] = [{"n": size, "exact_match": None, **row} for size, row in points.items()]


def _add_categories(
    report: Report, questions: Sequence[Question], name: str, values: Sequence[float], note: str, chance: float | None
) -> Figures:
    """Adds a table and a plot of one figure by category, where there are several, and returns it."""
    prompts, categories = [question.turns[0] for question in questions], [question.category for question in questions]
    rows = rates_by_category({name: values}, prompts, categories)
    if rows:
        title = f"{plots.label(name)} by category".capitalize()
        report.tables.append(Table(title, note, "category", rows))
        drawn = plots.by_category(rows, [name], title, chance)
        report.plots.append(Plot(name.replace("_", "-"), f"{title}; dashed: equal" if chance else title, drawn))
    return {category: figures[name] for category, figures in rows.items()}
