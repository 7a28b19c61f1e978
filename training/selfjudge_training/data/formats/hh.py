"""Anthropic HH: two transcripts a row, the last turn of the assistant in each being the response (appendix A.1).

Of a turn only the content is kept; role headers repeated at its head ("Human: Assistant: ...") are removed. Turns of
one role in a row are one turn, as no chat template knows such. Any subset and split: which serve as pairs and which
as demonstrations only (`online` in the paper) is said by the configuration.
"""

import re

from pydantic import BaseModel

from selfjudge_training.data.formats.preferences import compared
from selfjudge_training.data.formats.texts import Category
from selfjudge_training.data.loaded import MalformedRowError
from selfjudge_training.data.records import Demonstration, Messages, PreferencePair

_HEADER = re.compile(r"\n\n(Human|Assistant):")
_REPEATED = re.compile(r"(?:\s*(?:Human|Assistant):)+")
_ROLES = {"Human": "user", "Assistant": "assistant"}


class HHRow(BaseModel):
    """A row of the data set; further keys are ignored."""

    chosen: str
    rejected: str
    category: Category = ""


def pair(row: HHRow) -> PreferencePair:
    """The row as a preference pair. Raises MalformedRowError."""
    return compared(demonstration(row), _split("rejected", row.rejected), row.category)


def demonstration(row: HHRow) -> Demonstration:
    """The chosen transcript of a row. Raises MalformedRowError."""
    chosen = _split("chosen", row.chosen)
    if not chosen.response:
        raise MalformedRowError("the chosen response is empty")
    return chosen


def _split(name: str, transcript: str) -> Demonstration:
    turns = _turns(name, transcript)
    if turns[0]["role"] != "user" or turns[-1]["role"] != "assistant":
        raise MalformedRowError(f"{name}: a transcript must begin with 'Human:' and end with a turn of 'Assistant:'")
    return Demonstration(turns[:-1], turns[-1]["content"])


def _turns(name: str, transcript: str) -> Messages:
    before, *pieces = _HEADER.split("\n\n" + transcript.lstrip())
    if before or not pieces:
        raise MalformedRowError(f"{name}: a transcript must begin with 'Human:'")
    turns: Messages = []
    for header, text in zip(pieces[::2], pieces[1::2], strict=True):
        repeated = _REPEATED.match(text)
        content = text[repeated.end() if repeated else 0 :].strip()
        if turns and turns[-1]["role"] == _ROLES[header]:
            turns[-1]["content"] = f"{turns[-1]['content']}\n\n{content}".strip()
        else:
            turns.append({"role": _ROLES[header], "content": content})
    return turns
