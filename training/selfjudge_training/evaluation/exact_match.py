"""Exact match on instructions that a program can check: truth, with no judge's taste in it."""

from collections.abc import Sequence
from typing import NamedTuple

from selfjudge_training.evaluation.questions import Question
from selfjudge_training.evaluation.statistics import Estimate
from selfjudge_training.evaluation.win_rate import by_category, over_questions
from selfjudge_training.tasks import Problem
from selfjudge_training.tasks.split import Split, draw_problems


class ExactMatch(NamedTuple):
    """Share of right answers, with 95% intervals."""

    overall: Estimate
    by_task: dict[str, Estimate]


def held_out_problems(count: int, seed: int) -> list[Problem]:
    """Checkable instructions that nothing may be trained on, tasks in turn, no instruction twice."""
    problems: dict[str, Problem] = {}
    for problem in draw_problems(Split.HELD_OUT, seed):
        problems.setdefault(problem.prompt, problem)
        if len(problems) == count:
            break
    return list(problems.values())


def held_out_questions(count: int, seed: int) -> list[Question]:
    """The same as questions, their task the category."""
    return [Question((problem.prompt,), problem.task, problem) for problem in held_out_problems(count, seed)]


def exact_match(questions: Sequence[Question], texts: Sequence[str]) -> ExactMatch:
    """Compare each text with its question's answer. Raises ValueError for a question that can't be checked."""
    right = []
    for question, text in zip(questions, texts, strict=True):
        if question.problem is None:
            raise ValueError(f"no program can check the answer to {question.turns[0][:80]!r}")
        right.append(float(text == question.problem.answer))
    return ExactMatch(over_questions(right), by_category(questions, right))
