"""Question files as the benchmarks publish them: AlpacaEval's JSON, and the JSON lines of VicunaEval and MT-Bench.

Outputs are in AlpacaEval's format too, so that its tools and leaderboards read ours, and theirs are baselines here.
Reference answers of the benchmarks are not read; an AlpacaEval row of yours may have an `answer`, the one right one.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

Text = Annotated[str, Field(min_length=1)]


class Question(NamedTuple):
    """One question, of one or several turns of the user."""

    turns: tuple[str, ...]
    category: str = ""
    answer: str | None = None
    """The one right answer, where it is known."""


class _AlpacaRow(BaseModel):
    """https://github.com/tatsu-lab/alpaca_eval: a list of these; baselines' outputs may stand beside them."""

    instruction: Text
    dataset: str = ""
    answer: str | None = None


class _OutputRow(BaseModel):
    """https://github.com/tatsu-lab/alpaca_eval: a list of these."""

    instruction: str
    output: str
    generator: Annotated[str, Field(min_length=1)]


class _FastChatRow(BaseModel):
    """https://github.com/lm-sys/FastChat, llm_judge: a line each."""

    question_id: int | str
    category: str
    turns: Annotated[list[Text], Field(min_length=1)]


_ROW: TypeAdapter[_FastChatRow | _AlpacaRow] = TypeAdapter(_FastChatRow | _AlpacaRow)


class Outputs(NamedTuple):
    """What one model answered."""

    generator: str
    """The model's name."""
    texts: list[str]
    """One for each question, in their order."""


class QuestionError(ValueError):
    """A file holds no questions in a known form; the message says where."""


def load_questions(path: Path) -> list[Question]:
    """Questions in the order of the file, `.json` (a list) or `.jsonl`.

    Raises QuestionError naming the file, the row, and what would be accepted; two questions that begin alike are an
    error too, since outputs are told apart by their instruction.
    """
    questions = []
    seen: dict[str, str] = {}
    for place, row in read_rows(path):
        question = _question(place, row)
        if question.turns[0] in seen:
            raise QuestionError(f"{place}: the same instruction as {seen[question.turns[0]]}; give each one once")
        seen[question.turns[0]] = place
        questions.append(question)
    if not questions:
        raise QuestionError(f"{path}: holds no question")
    return questions


def answer_key(questions: Sequence[Question]) -> dict[str, str] | None:
    """The right answer by question; None where one of them is not known."""
    key = {question.turns[0]: question.answer for question in questions if question.answer is not None}
    return key if len(key) == len(questions) else None


def read_rows(path: Path) -> Iterator[tuple[str, object]]:
    """The values of a JSON list or of JSON lines, each with the place to name in errors. Raises QuestionError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionError(f"{path}: cannot be read: {error}") from error
    if path.suffix == ".jsonl":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"{path}:{number}", _parse(f"{path}:{number}", line)
        return
    rows = _parse(str(path), text)
    if not isinstance(rows, list):
        raise QuestionError(f"{path}: should be a JSON list, or JSON lines in a file called *.jsonl")
    for number, row in enumerate(rows):
        yield f"{path}[{number}]", row


def _parse(place: str, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise QuestionError(f"{place}: is not JSON: {error}") from error


def _question(place: str, value: object) -> Question:
    try:
        row = _ROW.validate_python(value)
    except ValidationError as error:
        raise QuestionError(
            f"{place}: should have a text 'instruction' (AlpacaEval), or 'question_id', 'category' and a list 'turns' "
            f"of texts (VicunaEval, MT-Bench)"
        ) from error
    if isinstance(row, _AlpacaRow):
        return Question((row.instruction,), row.dataset, row.answer)
    return Question(tuple(row.turns), row.category)


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
    rows = [_output_row(place, value) for place, value in read_rows(path)]
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


def _output_row(place: str, value: object) -> _OutputRow:
    try:
        return _OutputRow.model_validate(value)
    except ValidationError as error:
        raise QuestionError(f"{place}: should have the texts 'instruction', 'output' and 'generator'") from error
