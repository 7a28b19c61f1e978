"""Question files as the benchmarks publish them: AlpacaEval's JSON, and the JSON lines of VicunaEval and MT-Bench.

Leaves out reference answers and the settings of the benchmarks' own judges: a judge here is given by the user.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from selfjudge_training.tasks import Problem

Text = Annotated[str, Field(min_length=1)]


class Question(NamedTuple):
    """One question, of one or several turns of the user."""

    turns: tuple[str, ...]
    category: str = ""
    problem: Problem | None = None
    """Where the answer can be checked."""


class _AlpacaRow(BaseModel):
    """https://github.com/tatsu-lab/alpaca_eval: a list of these; baselines' outputs may stand beside them."""

    instruction: Text
    dataset: str = ""


class _FastChatRow(BaseModel):
    """https://github.com/lm-sys/FastChat, llm_judge: a line each."""

    question_id: int | str
    category: str
    turns: Annotated[list[Text], Field(min_length=1)]


_ROW: TypeAdapter[_FastChatRow | _AlpacaRow] = TypeAdapter(_FastChatRow | _AlpacaRow)


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
        return Question((row.instruction,), row.dataset)
    return Question(tuple(row.turns), row.category)
