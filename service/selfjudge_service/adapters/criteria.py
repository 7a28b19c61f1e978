"""What a version must reach before it becomes active: thresholds from the settings, pairs and prompts from their files.

Files are read once, at start. They are JSON lines with a prompt; `docs/training-data.md` has the other formats that
training reads.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, Field, ValidationError

from selfjudge import Comparison, Message, SelfJudgeError
from selfjudge_service.settings import Settings

_Row = TypeVar("_Row")


class GateError(SelfJudgeError):
    """The gate can't be held as it is set; names the setting."""


class Criteria(NamedTuple):
    """What a version must reach."""

    pairs: tuple[Comparison, ...]
    """Held-out preferences, the chosen response first."""
    accuracy: float | None
    consistency: float | None
    prompts: tuple[list[Message], ...]
    win_share: float
    judge: Literal["policy", "reference"]
    max_tokens: int

    @property
    def wanted(self) -> dict[str, float]:
        """The thresholds by the names of their figures."""
        found = {"accuracy": self.accuracy, "consistency": self.consistency}
        found["win_share"] = self.win_share if self.prompts else None
        return {name: value for name, value in found.items() if value is not None}


class _Turn(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str


class _Answer(_Turn):
    role: Literal["assistant"]


_Response = str | Annotated[list[_Answer], Field(min_length=1, max_length=1)]


class _Prompt(BaseModel):
    prompt: Annotated[str, Field(min_length=1)] | Annotated[list[_Turn], Field(min_length=1)]

    def conversation(self) -> list[Message]:
        turns = [_Turn(role="user", content=self.prompt)] if isinstance(self.prompt, str) else self.prompt
        return [turn.model_dump() for turn in turns]


class _Pair(_Prompt):
    chosen: _Response
    rejected: _Response

    def comparison(self) -> Comparison:
        return Comparison(self.conversation(), _text(self.chosen), _text(self.rejected))


def read_criteria(settings: Settings) -> Criteria | None:
    """The gate that the settings ask for, None where they ask for none.

    Raises:
        GateError: naming the setting that lacks another, or the file and line that can't be read, and what is accepted.
    """
    files = {"gate_pairs": settings.gate_pairs, "gate_prompts": settings.gate_prompts}
    thresholds = {"gate_accuracy": settings.gate_accuracy, "gate_consistency": settings.gate_consistency}
    for name, value in (files | thresholds).items():
        if value is not None and settings.adapters_dir is None:
            raise GateError(f"{name}: needs adapters_dir, whose versions are to pass the gate")
    for name, threshold in thresholds.items():
        if threshold is not None and settings.gate_pairs is None:
            raise GateError(f"{name}: needs gate_pairs, the file that it is measured on")
    if settings.gate_pairs and not any(value is not None for value in thresholds.values()):
        raise GateError("gate_pairs: needs gate_accuracy or gate_consistency, what must be reached on it")
    if not any(files.values()):
        return None
    return Criteria(
        tuple(_read("gate_pairs", settings.gate_pairs, _pair)),
        settings.gate_accuracy,
        settings.gate_consistency,
        tuple(_read("gate_prompts", settings.gate_prompts, _conversation)),
        settings.gate_win_share,
        settings.gate_judge,
        settings.gate_max_tokens,
    )


def _read(setting: str, path: Path | None, parse: Callable[[str], _Row]) -> list[_Row]:
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GateError(f"{setting}: {path} can't be read: {error}") from error
    if not lines:
        raise GateError(f"{setting}: {path} is empty; one JSON object a line is accepted")
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(parse(line))
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"])
            raise GateError(f"{setting}: {path}, line {number}: {where or 'the line'}: {problem['msg']}") from error
    return rows


def _pair(line: str) -> Comparison:
    return _Pair.model_validate_json(line).comparison()


def _conversation(line: str) -> list[Message]:
    return _Prompt.model_validate_json(line).conversation()


def _text(response: str | list[_Answer]) -> str:
    return response if isinstance(response, str) else response[0].content
