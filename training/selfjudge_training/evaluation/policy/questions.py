"""Question files as the benchmarks publish them: AlpacaEval's JSON, and the JSON lines of VicunaEval and MT-Bench.

Outputs are in AlpacaEval's format too, so that its tools and leaderboards read ours, and theirs are baselines here.
Reference answers of the benchmarks are not read; an AlpacaEval row of yours may have an `answer`, the one right one.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter

from selfjudge_training.data.records import Messages
from selfjudge_training.data.rows import validated_rows
from selfjudge_training.data.source import DataError

Text = Annotated[str, Field(min_length=1)]


class Question(NamedTuple):
    """One question, of one or several turns of the user."""

    turns: tuple[str, ...]
    category: str = ""
    answer: str | None = None
    """The one right answer, where it is known."""

    @property
    def first_turn(self) -> Messages:
        """The conversation up to the first answer."""
        return [{"role": "user", "content": self.turns[0]}]


class _AlpacaRow(BaseModel):
    """https://github.com/tatsu-lab/alpaca_eval: a list of these; baselines' outputs may stand beside them."""

    instruction: Text
    dataset: str = ""
    answer: str | None = None

    def question(self) -> Question:
        return Question((self.instruction,), self.dataset, self.answer)


class _OutputRow(BaseModel):
    """https://github.com/tatsu-lab/alpaca_eval: a list of these."""

    instruction: str
    output: str
    generator: Text


class _FastChatRow(BaseModel):
    """https://github.com/lm-sys/FastChat, llm_judge: a line each."""

    question_id: int | str
    category: str
    turns: Annotated[list[Text], Field(min_length=1)]

    def question(self) -> Question:
        return Question(tuple(self.turns), self.category)


_OUTPUTS = TypeAdapter(_OutputRow)
_QUESTIONS: TypeAdapter[_FastChatRow | _AlpacaRow] = TypeAdapter(_FastChatRow | _AlpacaRow)
_ACCEPTED = (
    "a text 'instruction' (AlpacaEval), or 'question_id', 'category' and a list 'turns' of texts (VicunaEval, MT-Bench)"
)


class Outputs(NamedTuple):
    """What one model answered."""

    generator: str
    texts: list[str]
    """One for each question, in their order."""


def load_questions(path: Path) -> list[Question]:
    """Questions in the order of the file, `.json` (a list) or `.jsonl`.

    Raises DataError naming the file, the row, and what would be accepted; two questions that begin alike are an error
    too, since outputs are told apart by their instruction.
    """
    questions: dict[str, Question] = {}
    places: dict[str, str] = {}
    for place, row in validated_rows(path, _QUESTIONS, _ACCEPTED):
        question = row.question()
        first = question.turns[0]
        if first in questions:
            raise DataError(f"{place}: the same instruction as {places[first]}; give each one once")
        questions[first], places[first] = question, place
    return list(questions.values())


def answer_key(questions: Sequence[Question]) -> dict[str, str] | None:
    """The right answer by question; None where one of them is not known."""
    key = {question.turns[0]: question.answer for question in questions if question.answer is not None}
    return key if len(key) == len(questions) else None


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

    Raises DataError where the file is malformed, is of several generators, or has no output for a question.
    """
    rows = [row for _, row in validated_rows(path, _OUTPUTS, "the texts 'instruction', 'output' and 'generator'")]
    generators = {row.generator for row in rows}
    if len(generators) != 1:
        raise DataError(f"{path}: holds outputs of {sorted(generators)}; should be one generator's")
    texts = {row.instruction: row.output for row in rows}
    missing = [question.turns[0] for question in questions if question.turns[0] not in texts]
    if missing:
        raise DataError(
            f"{path}: has no output for {len(missing)} of {len(questions)} questions, such as {missing[0][:80]!r}"
        )
    return Outputs(generators.pop(), [texts[question.turns[0]] for question in questions])


def dialogue_text(turns: Sequence[str], answers: Sequence[str]) -> str:
    """What follows the first turn: its answer, then later turns and their answers."""
    later = [f"User: {turn}\n\nAssistant: {answer}" for turn, answer in zip(turns[1:], answers[1:], strict=True)]
    return "\n\n".join([answers[0], *later])
