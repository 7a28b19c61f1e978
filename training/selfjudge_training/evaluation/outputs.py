"""Outputs in AlpacaEval's format, so that its tools and leaderboards read ours, and theirs are baselines here.

A dialogue of several turns has one row: the instruction is its first turn, the output all that follows, with the later
turns labelled `User:` and `Assistant:`, so that a judge sees the whole of it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from selfjudge_training.evaluation.questions import Question, QuestionError, read_rows


class _Row(BaseModel):
    """https://github.com/tatsu-lab/alpaca_eval, a list of these."""

    instruction: str
    output: str
    generator: Annotated[str, Field(min_length=1)]


class Outputs(NamedTuple):
    """What one model answered."""

    generator: str
    """The model's name."""
    texts: list[str]
    """One for each question, in their order."""


def write_outputs(path: Path, questions: Sequence[Question], outputs: Outputs) -> None:
    """Write a list of rows with `dataset` (the category), `instruction`, `output` and `generator`."""
    rows = [
        {
            "dataset": question.category,
            "instruction": question.turns[0],
            "output": text,
            "generator": outputs.generator,
        }
        for question, text in zip(questions, outputs.texts, strict=True)
    ]
    path.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_outputs(path: Path, questions: Sequence[Question]) -> Outputs:
    """The outputs of a file for these questions, found by their instruction; rows for other questions are not used.

    Raises QuestionError where the file is malformed, is of several generators, or has no output for a question.
    """
    rows = [_checked(place, value) for place, value in read_rows(path)]
    generators = {row.generator for row in rows}
    if len(generators) != 1:
        raise QuestionError(f"{path}: holds outputs of {sorted(generators)}; should be one generator's")
    texts = {row.instruction: row.output for row in rows}
    missing = [question.turns[0] for question in questions if question.turns[0] not in texts]
    if missing:
        raise QuestionError(
            f"{path}: has no output for {len(missing)} of {len(questions)} questions, such as {missing[0][:80]!r}"
        )
    return Outputs(generators.pop(), [texts[question.turns[0]] for question in questions])


def dialogue_text(turns: Sequence[str], answers: Sequence[str]) -> str:
    """What follows the first turn: its answer, then later turns and their answers."""
    later = [f"User: {turn}\n\nAssistant: {answer}" for turn, answer in zip(turns[1:], answers[1:], strict=True)]
    return "\n\n".join([answers[0], *later])


def _checked(place: str, value: object) -> _Row:
    try:
        return _Row.model_validate(value)
    except ValidationError as error:
        raise QuestionError(f"{place}: should have the texts 'instruction', 'output' and 'generator'") from error
