"""What a policy's answers are worth: exact match, win rate and self-rejection, each where it can be had."""

from collections.abc import Sequence
from typing import NamedTuple

from selfjudge_training.evaluation.exact_match import ExactMatch, exact_match
from selfjudge_training.evaluation.policies import Answer
from selfjudge_training.evaluation.questions import Question
from selfjudge_training.evaluation.repetition import repetition
from selfjudge_training.evaluation.statistics import Estimate, bootstrap
from selfjudge_training.evaluation.sweep import Point
from selfjudge_training.evaluation.win_rate import WinRate, over_questions


class AnswerFigures(NamedTuple):
    """One answer to each question, with 95% intervals over questions."""

    questions: int
    length: Estimate
    """Mean length in characters."""
    repetition: Estimate
    """Mean share of repeated 4-grams."""
    unfinished: Estimate
    """Share cut off by the limit of new tokens, or too long to be answered to the end."""
    too_long: int
    """Questions with a turn for which the model's context had no room: it was not asked, nor those behind it."""
    exact_match: ExactMatch | None
    """Where every question can be checked."""


class PolicyEvaluation(NamedTuple):
    """A policy on one set of questions."""

    generator: str
    answers: AnswerFigures
    comparison: WinRate | None
    """With a baseline."""
    sweep: list[Point] | None
    """Self-rejection over N."""


def answer_figures(questions: Sequence[Question], answers: Sequence[Answer]) -> AnswerFigures:
    """What can be said of answers without any judge."""
    texts = [answer.text for answer in answers]
    checkable = all(question.problem for question in questions)
    return AnswerFigures(
        questions=len(questions),
        length=bootstrap([float(len(text)) for text in texts]),
        repetition=bootstrap([repetition(text) for text in texts]),
        unfinished=over_questions([float(not answer.finished) for answer in answers]),
        too_long=sum(not answer.fits for answer in answers),
        exact_match=exact_match(questions, texts) if checkable else None,
    )
