"""What a policy's answers are worth: length, repetition, exact match, and the win rate against a baseline by a judge.

Length stands beside the win rate because judges tend to like longer responses (section 5.3).
"""

from collections.abc import Sequence
from typing import NamedTuple

from selfjudge import Comparison, Orders
from selfjudge_training.data.records import Messages
from selfjudge_training.evaluation.judges.judgment import Judge, Judgment
from selfjudge_training.evaluation.policy.policies import Answer
from selfjudge_training.evaluation.policy.questions import Outputs, Question, answer_key
from selfjudge_training.evaluation.statistics import Estimate, bootstrap, rate

NGRAM = 4
_EQUAL = Judgment("tie", 0.5, Orders(0.5, 0.5), consistent=True, label_mass=1.0)


class ExactMatch(NamedTuple):
    """Share of right answers, with 95% intervals."""

    overall: Estimate
    by_category: dict[str, Estimate]


class AnswerFigures(NamedTuple):
    """One answer to each question, with 95% intervals over questions."""

    questions: int
    length: Estimate
    """In characters."""
    repetition: Estimate
    unfinished: Estimate
    """Share cut off by the limit of new tokens, or too long to be answered to the end."""
    too_long: int
    """Questions with a turn for which the model's context had no room: it was not asked, nor those behind it."""
    exact_match: ExactMatch | None
    """Where every answer is known."""


class WinRate(NamedTuple):
    """Against a baseline, with 95% intervals over questions."""

    generator: str
    baseline: str
    win_rate: Estimate
    """Share of questions whose output beats the baseline's, a tie counting half."""
    wins: int
    ties: int
    losses: int
    position_consistency: Estimate
    label_mass: Estimate
    length: Estimate
    """In characters, as AlpacaEval counts it."""
    baseline_length: Estimate
    by_category: dict[str, Estimate]
    """Win rates; empty where all questions are of one category."""


def answer_figures(questions: Sequence[Question], answers: Sequence[Answer]) -> AnswerFigures:
    """What can be said of answers without any judge."""
    texts, key = [answer.text for answer in answers], answer_key(questions)
    right = [float(text == answer) for text, answer in zip(texts, key.values(), strict=True)] if key else None
    return AnswerFigures(
        questions=len(questions),
        length=mean_length(texts),
        repetition=bootstrap([repetition(text) for text in texts]),
        unfinished=over_questions([float(not answer.finished) for answer in answers]),
        too_long=sum(not answer.fits for answer in answers),
        exact_match=ExactMatch(over_questions(right), by_category(questions, right)) if right else None,
    )


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
        length=mean_length(outputs.texts),
        baseline_length=mean_length(baseline.texts),
        by_category=by_category(questions, points),
    )


def judge_outputs(
    judge: Judge, questions: Sequence[Question], outputs: Sequence[str], baseline: Sequence[str]
) -> list[Judgment]:
    """A judgment of each question's output, first, against the baseline's; equal outputs are a tie without asking."""
    judgments = [_EQUAL] * len(questions)
    different = [n for n, (ours, theirs) in enumerate(zip(outputs, baseline, strict=True)) if ours != theirs]
    asked = [Comparison(first_turn(questions[n]), outputs[n], baseline[n]) for n in different]
    for number, judgment in zip(different, judge.verdicts(asked), strict=True):
        judgments[number] = judgment
    return judgments


def first_turn(question: Question) -> Messages:
    """What both outputs answer: the conversation up to the first answer."""
    return [{"role": "user", "content": question.turns[0]}]


def repetition(text: str) -> float:
    """Share of 4-grams of words that came before, in [0, 1] (figure 4; the paper does not define its measure)."""
    words = text.split()
    grams = [tuple(words[start : start + NGRAM]) for start in range(len(words) - NGRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def mean_length(texts: Sequence[str]) -> Estimate:
    """In characters."""
    return bootstrap([float(len(text)) for text in texts])


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
    """The mean of values in [0, 1]."""
    return rate(values, range(len(values)))
