"""Anthropic HH: two transcripts a row, the last turn of the assistant in each being the response (appendix A.1).

Of a turn only the content is kept; role headers repeated at its head ("Human: Assistant: ...") are removed. Turns of
one role in a row are one turn, as no chat template knows such. Any subset and split: which serve as pairs and which
as demonstrations only (`online` in the paper) is said by the configuration.
"""

import re
from itertools import groupby

from typing_extensions import override

from selfjudge_training.data.formats.preferences import ComparedRow, Side
from selfjudge_training.data.records import Demonstration, Messages
from selfjudge_training.data.source import MalformedRowError

_HEADER = re.compile(r"\n\n(Human|Assistant):")
_REPEATED = re.compile(r"\A(?:\s*(?:Human|Assistant):)+")
_ROLES = {"Human": "user", "Assistant": "assistant"}


class HHRow(ComparedRow):
    """A row of the data set."""

    chosen: str
    rejected: str

    @override
    def side(self, name: Side) -> Demonstration:
        turns = _turns(self.chosen if name == "chosen" else self.rejected)
        if not turns or turns[0]["role"] != "user" or turns[-1]["role"] != "assistant":
            raise MalformedRowError(
                f"{name}: a transcript must begin with 'Human:' and end with a turn of 'Assistant:'"
            )
        return Demonstration(turns[:-1], turns[-1]["content"])


def _turns(transcript: str) -> Messages:
    """The turns of a transcript; none where it does not begin with a header."""
    before, *pieces = _HEADER.split("\n\n" + transcript.lstrip())
    if before:
        return []
    turns = zip(pieces[::2], (_REPEATED.sub("", text).strip() for text in pieces[1::2]), strict=True)
    return [
        {"role": _ROLES[header], "content": "\n\n".join(text for _, text in group if text)}
        for header, group in groupby(turns, lambda turn: turn[0])
    ]
