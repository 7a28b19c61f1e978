"""Preference pairs from a server's bracket logs: of each match that was judged, the winner over the loser.

The margin of a pair is P(the chosen response is better) - 1/2, over both orders and all principles, as self-training
has it. What gives no pair, and what would harm training, is counted by reason.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt, model_validator
from tqdm import tqdm

from selfjudge import ConversationError, message_text
from selfjudge_training.data.formats.texts import ROLES
from selfjudge_training.data.loaded import Loaded, MalformedRowError, checked
from selfjudge_training.data.records import Messages
from selfjudge_training.data.rows import LINES, Row, read_lines
from selfjudge_training.data.source import DataError


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


class Bracket(BaseModel):
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


class Wanted(NamedTuple):
    """Which pairs are asked for."""

    least_margin: float = 0.0
    """In [0, 0.5)."""
    consistent_only: bool = False
    models: tuple[str, ...] = ()
    """Brackets answered by these: names of models, or of policies in any version; none: by any."""


class Pair(NamedTuple):
    """A preference pair and where it comes from."""

    conversation: Messages
    chosen: str
    rejected: str
    margin: float
    bracket: Bracket

    def row(self) -> dict[str, Any]:
        """As a row of format `preferences`, conversational; what goes beyond that format is for people."""
        return {
            "prompt": self.conversation,
            "chosen": [{"role": "assistant", "content": self.chosen}],
            "rejected": [{"role": "assistant", "content": self.rejected}],
            "margin": self.margin,
            "model": self.bracket.model,
            "bracket": self.bracket.id,
        }


class _LeftOutError(Exception):
    """Something sound gives no pair; the message is the reason."""


def load_brackets(logs: Sequence[Path], wanted: Wanted, *, strict: bool = False) -> Loaded[Pair]:
    """The pairs of all logs, files or folders of them, in order; of equal pairs the first.

    A last line without an end is what a server that was killed leaves: it is counted, and not malformed.
    Raises DataError where a log cannot be read, with `strict` also at the first malformed line.
    """
    loaded = Loaded[Pair]()
    seen: set[bytes] = set()
    rows = ((path, row) for path in _log_files(logs) for row in read_lines(path))
    for path, row in tqdm(rows, "reading", unit="row", disable=None, leave=False):
        with loaded.row(str(path), row.line, strict=strict):
            try:
                bracket = _bracket(row, wanted)
            except _LeftOutError as reason:
                loaded.left_out[str(reason)] += 1
            else:
                loaded.records += _pairs(bracket, wanted, seen, loaded.left_out)
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


def _bracket(row: Row, wanted: Wanted) -> Bracket:
    if row.torn:
        raise _LeftOutError("the last line of a file was torn when a server was killed")
    if row.problem:
        raise MalformedRowError(row.problem)
    bracket = checked(Bracket, row.value)
    if wanted.models and not {bracket.model, bracket.model.partition("@")[0]} & {*wanted.models}:
        raise _LeftOutError("the bracket is another model's")
    return bracket


def _pairs(bracket: Bracket, wanted: Wanted, seen: set[bytes], left_out: Counter[str]) -> list[Pair]:
    try:
        conversation = _conversation(bracket)
    except _LeftOutError as reason:
        left_out[str(reason)] += len(bracket.matches)
        return []
    pairs = []
    for match in bracket.matches:
        try:
            pair = _pair(bracket, match, conversation, wanted)
            _is_new(pair, seen)
        except _LeftOutError as reason:
            left_out[str(reason)] += 1
        else:
            pairs.append(pair)
    return pairs


def _conversation(bracket: Bracket) -> Messages:
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


def _pair(bracket: Bracket, match: _Match, conversation: Messages, wanted: Wanted) -> Pair:
    if match.verdict is None or match.second is None or match.outcome is None:
        raise _LeftOutError(f"the match was not judged ({match.reason})")
    if match.outcome == "tie":
        raise _LeftOutError("the match was a tie")
    sides = bracket.candidates[match.first], bracket.candidates[match.second]
    chosen, rejected = sides if match.outcome == "A" else sides[::-1]
    lead = match.verdict.probability_a - 0.5
    margin = lead if match.outcome == "A" else -lead
    if chosen is None or rejected is None or chosen.tool_calls or rejected.tool_calls:
        raise _LeftOutError("a response calls tools")
    for applies, reason in (
        (not chosen.text, "the chosen response is empty"),
        (chosen.finish_reason == "length", "the chosen response was cut off by max_tokens"),
        (margin < wanted.least_margin, f"the margin is below {wanted.least_margin:g}"),
        (wanted.consistent_only and not match.verdict.consistent, "the two orders have different winners"),
    ):
        if applies:
            raise _LeftOutError(reason)
    return Pair(conversation, chosen.text, rejected.text, margin, bracket)


def _is_new(pair: Pair, seen: set[bytes]) -> None:
    """Raises _LeftOutError for a pair that was there before, or is one that was there the other way round."""
    digest = _digest(pair.conversation, pair.chosen, pair.rejected)
    if digest in seen:
        raise _LeftOutError("the same pair again")
    if _digest(pair.conversation, pair.rejected, pair.chosen) in seen:
        raise _LeftOutError("it contradicts an earlier pair")
    seen.add(digest)


def _digest(*parts: object) -> bytes:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).digest()
