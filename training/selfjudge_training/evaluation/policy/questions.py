"""Question files as the benchmarks publish them: AlpacaEval's JSON, and the JSON lines of VicunaEval and MT-Bench.

Outputs are in AlpacaEval's format too, so that its tools and leaderboards read ours, and theirs are baselines here.
Reference answers of the benchmarks are not read; an AlpacaEval row of yours may have an `answer`, the one right one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, TypeAdapter

from selfjudge_training.data.records import Messages
from selfjudge_training.data.rows import validated_rows
from selfjudge_training.data.source import DataError

Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class Question:
    """A row of AlpacaEval's questions (tatsu-lab/alpaca_eval) or of FastChat's (lm-sys/FastChat, llm_judge)."""

    turns: Annotated[
        tuple[Text, ...],
        Field(min_length=1, validation_alias=AliasChoices("turns", "instruction")),
        BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    ]
    category: Annotated[str, Field(validation_alias=AliasChoices("dataset", "category"))] = ""
    answer: str | None = None
    """The one right answer, where it is known."""

    @property
    def first_turn(self) -> Messages:
        """The conversation up to the first answer."""
        return [{"role": "user", "content": self.turns[0]}]


class _OutputRow(BaseModel):
    dataset: str = ""
    """The category."""
    instruction: str
    output: str
    generator: Text


_OUTPUTS = TypeAdapter(_OutputRow)
_QUESTIONS = TypeAdapter(Question)
_ACCEPTED = "a text 'instruction' (AlpacaEval), or a list 'turns' of texts (VicunaEval, MT-Bench)"


class Outputs(NamedTuple):
    """What one model answered."""

    generator: str
    texts: list[str]
    """One for each question, in their order."""


def load_questions(path: Path) -> list[Question]:
    """Questions in the order of the file, `.json` (a list) or `.jsonl`.

    Raises DataError naming the row and what would be accepted, also for two questions that begin alike, since outputs
    are told apart by their instruction.
    """
    questions: dict[str, tuple[str, Question]] = {}
    for place, question in validated_rows(path, _QUESTIONS, _ACCEPTED):
        before, _ = questions.setdefault(question.turns[0], (place, question))
        if before != place:
            raise DataError(f"{place}: the same instruction as {before}; give each one once")
    return [question for _, question in questions.values()]


def answer_key(questions: Sequence[Question]) -> dict[str, str]:
    """The right answer by question; empty where one of them is not known."""
    known = {question.turns[0]: question.answer for question in questions if question.answer is not None}
    return known if all(question.turns[0] in known for question in questions) else {}


def write_outputs(path: Path, questions: Sequence[Question], outputs: Outputs) -> None:
    """Write a list of rows as AlpacaEval does."""
    rows = [
        _OutputRow(dataset=question.category, instruction=question.turns[0], output=text, generator=outputs.generator)
        for question, text in zip(questions, outputs.texts, strict=True)
    ]
    path.write_bytes(TypeAdapter(list[_OutputRow]).dump_json(rows, indent=2) + b"\n")


def load_outputs(path: Path, questions: Sequence[Question]) -> Outputs:
    """The outputs of a file for these questions, found by their instruction; rows for other questions are not used.

    Raises DataError where the file is malformed, is of several generators, or has no output for a question.
    """
    rows = [row for _, row in validated_rows(path, _OUTPUTS, "the texts 'instruction', 'output' and 'generator'")]
    generators = {row.generator for row in rows}
    if len(generators) != 1:
        raise DataError(f"{path}: holds outputs of {sorted(generators)}; should be one generator's")
    texts = {row.instruction: row.output for row in rows}
    if missing := [question.turns[0] for question in questions if question.turns[0] not in texts]:
        raise DataError(
            f"{path}: has no output for {len(missing)} of {len(questions)} questions, such as {missing[0][:80]!r}"
        )
    return Outputs(generators.pop(), [texts[question.turns[0]] for question in questions])
