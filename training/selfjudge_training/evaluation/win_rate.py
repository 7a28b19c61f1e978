"""A policy's outputs against a baseline's, by a judge: the win rate, and what else sets the two apart.

Each pair is judged in both orders; equal outputs are a tie without asking. Length stands beside the win rate because
judges tend to like longer responses (section 5.3).
"""

from collections.abc import Sequence
from typing import NamedTuple

from selfjudge import Comparison, Orders
from selfjudge_training.data.records import Messages
from selfjudge_training.evaluation.judges import Judge, Judgment
from selfjudge_training.evaluation.outputs import Outputs
from selfjudge_training.evaluation.questions import Question
from selfjudge_training.evaluation.statistics import Estimate, bootstrap, rate

_EQUAL = Judgment("tie", 0.5, Orders(0.5, 0.5), consistent=True, label_mass=1.0)


class WinRate(NamedTuple):
    """Over questions, with 95% intervals over questions."""

    generator: str
    baseline: str
    win_rate: Estimate
    """Share of questions whose output beats the baseline's, a tie counting half."""
    wins: int
    ties: int
    losses: int
    position_consistency: Estimate
    """Of the judge."""
    label_mass: Estimate
    """How much of the judge's answers was an answer to the question."""
    length: Estimate
    """Mean length of outputs in characters, as AlpacaEval counts it."""
    baseline_length: Estimate
    by_category: dict[str, Estimate]
    """Win rates; empty where all questions are of one category."""


def compare_outputs(judge: Judge, questions: Sequence[Question], outputs: Outputs, baseline: Outputs) -> WinRate:
    """Judge the outputs of two models to the same questions."""
    judgments = judge_outputs(judge, questions, outputs.texts, baseline.texts)
    points = [judgment.points for judgment in judgments]
    return WinRate(
        generator=outputs.generator,
        baseline=baseline.generator,
        win_rate=over_questions(points),
        wins=points.count(1.0),
        ties=points.count(0.5),
        losses=points.count(0.0),
        position_consistency=over_questions([float(judgment.consistent) for judgment in judgments]),
        label_mass=over_questions([judgment.label_mass for judgment in judgments]),
        length=bootstrap([float(len(text)) for text in outputs.texts]),
        baseline_length=bootstrap([float(len(text)) for text in baseline.texts]),
        by_category=by_category(questions, points),
    )


def judge_outputs(
    judge: Judge, questions: Sequence[Question], outputs: Sequence[str], baseline: Sequence[str]
) -> list[Judgment]:
    """A judgment of each question's output, first, against the baseline's."""
    judgments = [_EQUAL] * len(questions)
    different = [n for n, (ours, theirs) in enumerate(zip(outputs, baseline, strict=True)) if ours != theirs]
    asked = [Comparison(first_turn(questions[n]), outputs[n], baseline[n]) for n in different]
    for number, judgment in zip(different, judge.verdicts(asked), strict=True):
        judgments[number] = judgment
    return judgments


def first_turn(question: Question) -> Messages:
    """What both outputs answer: the conversation up to the first answer."""
    return [{"role": "user", "content": question.turns[0]}]


def by_category(questions: Sequence[Question], values: Sequence[float]) -> dict[str, Estimate]:
    """The mean over the questions of each category; empty where all are of one."""
    names = sorted({question.category for question in questions})
    if len(names) == 1:
        return {}
    return {
        name: over_questions([value for value, q in zip(values, questions, strict=True) if q.category == name])
        for name in names
    }


def over_questions(values: Sequence[float]) -> Estimate:
    """The mean of values in [0, 1], one for each question."""
    return rate(values, range(len(values)))
