"""Preference pairs from a server's bracket logs: of each match that was judged, the winner over the loser.

The margin of a pair is P(the chosen response is better) - 1/2, over both orders and all principles, as self-training
has it. What gives no pair, and what would harm training, is counted by reason.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt, TypeAdapter, model_validator
from tqdm import tqdm

from selfjudge import ConversationError, message_text
from selfjudge_training.data.formats.preferences import ROLES
from selfjudge_training.data.load import Loaded
from selfjudge_training.data.records import Messages
from selfjudge_training.data.rows import LINES, read_file, validated
from selfjudge_training.data.source import DataError, MalformedRowError


class _Verdict(BaseModel):
    probability_a: FiniteFloat = Field(ge=0, le=1)
    consistent: bool


class _Match(BaseModel):
    first: NonNegativeInt
    second: NonNegativeInt | None
    outcome: Literal["A", "B", "tie"] | None
    reason: str
    verdict: _Verdict | None


class _Candidate(BaseModel):
    text: str
    finish_reason: str | None
    tool_calls: NonNegativeInt


class _Bracket(BaseModel):
    """A line of a log; further keys are ignored."""

    format: Literal[1]
    id: str
    model: str
    conversation: list[dict[str, Any]]
    candidates: list[_Candidate | None]
    matches: list[_Match]

    @model_validator(mode="after")
    def _matches_are_between_candidates_that_are_there(self) -> Self:
        there = {number for number, candidate in enumerate(self.candidates) if candidate}
        for match in self.matches:
            if not {match.first, match.second} - {None} <= there:
                raise ValueError(f"matches: {match.first} and {match.second} are not both among the candidates")
        return self


_BRACKET = TypeAdapter(_Bracket)


class _LeftOutError(Exception):
    """A match gives no pair; the message is the reason."""


def load_brackets(
    logs: Sequence[Path],
    *,
    least_margin: float = 0.0,
    consistent_only: bool = False,
    models: Collection[str] = (),
    strict: bool = False,
) -> Loaded[dict[str, Any]]:
    """The pairs of all logs, files or folders of them, in order; of equal pairs the first.

    They are conversational rows of format `preferences`; their further keys `margin`, `model` and `bracket` are for
    people. `models` are names of models, or of policies in any version; none: any. A last line without an end is what
    a server that was killed leaves: it is counted, and not malformed.
    Raises DataError where a log cannot be read, with `strict` also at the first malformed line.
    """
    loaded, seen = Loaded[dict[str, Any]](), dict[bytes, bool]()
    rows = ((path, row) for path in _log_files(logs) for row in read_file(path, lines=True))
    for path, row in tqdm(rows, "reading", unit="row", disable=None, leave=False):
        with loaded.row(f"{path}:{row.line}", strict=strict):
            try:
                bracket = validated(row, _BRACKET)
            except MalformedRowError:
                if not row.torn:
                    raise
                loaded.left_out["the last line of a file was torn when a server was killed"] += 1
                continue
            if models and not {bracket.model, bracket.model.partition("@")[0]} & {*models}:
                loaded.left_out["the bracket is another model's"] += 1
                continue
            for match in bracket.matches:
                try:
                    pair = _pair(bracket, match, least_margin, consistent_only=consistent_only)
                    _require_new(pair, seen)
                except _LeftOutError as reason:
                    loaded.left_out[str(reason)] += 1
                else:
                    loaded.records.append(pair)
    return loaded


def _log_files(logs: Sequence[Path]) -> list[Path]:
    """The files among ``logs``, and those of its folders in the order of their names. Raises DataError for neither."""
    files = []
    for log in logs:
        if not log.exists():
            raise DataError(f"{log}: no such file or folder")
        found = sorted(path for path in log.iterdir() if path.name.endswith(LINES)) if log.is_dir() else [log]
        if not found:
            raise DataError(f"{log}: holds no file that ends in {' or '.join(LINES)}")
        files += found
    return files


def _pair(bracket: _Bracket, match: _Match, least_margin: float, *, consistent_only: bool) -> dict[str, Any]:
    conversation = _conversation(bracket)
    if match.verdict is None or match.second is None or match.outcome is None:
        raise _LeftOutError(f"the match was not judged ({match.reason})")
    if match.outcome == "tie":
        raise _LeftOutError("the match was a tie")
    first, second = bracket.candidates[match.first], bracket.candidates[match.second]
    lead = match.verdict.probability_a - 0.5
    chosen, rejected, margin = (first, second, lead) if match.outcome == "A" else (second, first, -lead)
    if chosen is None or rejected is None or chosen.tool_calls or rejected.tool_calls:
        raise _LeftOutError("a response calls tools")
    for applies, reason in (
        (not chosen.text, "the chosen response is empty"),
        (chosen.finish_reason == "length", "the chosen response was cut off by max_tokens"),
        (margin < least_margin, f"the margin is below {least_margin:g}"),
        (consistent_only and not match.verdict.consistent, "the two orders have different winners"),
    ):
        if applies:
            raise _LeftOutError(reason)
    return {
        "prompt": conversation,
        "chosen": [{"role": "assistant", "content": chosen.text}],
        "rejected": [{"role": "assistant", "content": rejected.text}],
        "margin": margin,
        "model": bracket.model,
        "bracket": bracket.id,
    }


def _conversation(bracket: _Bracket) -> Messages:
    turns = []
    for message in bracket.conversation:
        role = ROLES.get(str(message.get("role")))
        if role is None or message.get("tool_calls"):
            raise _LeftOutError("the conversation has turns of tools")
        try:
            turns.append({"role": role, "content": message_text(message)})
        except ConversationError as error:
            raise _LeftOutError("the conversation is not all text") from error
    if not turns or turns[-1]["role"] != "user":
        raise _LeftOutError("the conversation does not end with a message of the user")
    return turns


def _require_new(pair: dict[str, Any], seen: dict[bytes, bool]) -> None:
    """Raises _LeftOutError for a pair that was there before, or is one that was there the other way round."""
    sides = json.dumps(pair["chosen"]), json.dumps(pair["rejected"])
    key = hashlib.blake2b(json.dumps([pair["prompt"], *sorted(sides)]).encode(), digest_size=16).digest()
    ordered = sides[0] < sides[1]
    if key in seen:
        raise _LeftOutError("the same pair again" if seen[key] == ordered else "it contradicts an earlier pair")
    seen[key] = ordered
