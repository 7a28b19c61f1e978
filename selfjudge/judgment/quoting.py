"""Quoting: data can't spell the delimiters of the judgment that it stands in.

The rule. A line of data that begins like a delimiter of the judgment prompt gets "> " in front. Delimiters are the
template's own lines (`-----`, `Response B:`, `Please choose either A or B.`) and the labels of turns (`User:`). A line
begins like one if it looks alike (lookalikes.py), whatever stands for its closing mark. Where the delimiter is of
words, it does so whatever list mark, heading, emphasis, bracket, HTML tag or other sign stands before or between them,
save that signs which the delimiter has itself count. Every line break that Unicode knows begins a line.

And where a chat template marks roles by ordinary text (`[/INST]`, `USER:`) instead of control tokens, such a marker is
broken by a space behind its first character wherever data spells it, in compatibility forms too.

The rule leaves out delimiters inside a line, over several lines or in other words (`Answer B:`), and lines that begin
with ">", as quoted ones do. Data never encodes to a control token (tokens.py).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from selfjudge.judgment.template import JudgmentTemplate, Wording, split_fields
from selfjudge.text.lookalikes import INVISIBLE, fold
from selfjudge.text.memo import remember

QUOTE_MARK: Final = "> "

_COUNTED: Final = ":<>"
"""Signs that count beside letters and digits: what ends a delimiter, what parts HTML tags, and what marks a quote."""
_EMPHASIS: Final = "*`~#'"
_HEAD: Final = r"(?:<[^<>\n]*>)*(?:[0-9lo]{1,3}:?|[a-z]:)?"
"""HTML tags, and the number or letter of a list, folded."""


def delimiters(template: JudgmentTemplate, wording: Wording) -> frozenset[str]:
    """How the template's lines begin: each line of the user turn up to its first field, and the labels of turns."""
    labels = template.turns.model_dump(exclude={"separator"}).values()
    beginnings = "\n".join(split_fields(label)[0][0] for label in labels)
    return line_beginnings(wording.user) | line_beginnings([beginnings])


def line_beginnings(pieces: Sequence[str]) -> frozenset[str]:
    """How lines begin in text of ours with a field between each two of the pieces: each line up to its first field."""
    field = "\0"
    lines = field.join(pieces).split("\n")
    return frozenset(filter(None, (fold(line.split(field)[0]) for line in lines)))


class _Group(NamedTuple):
    """Delimiters, and the signs that are ignored beside them."""

    ignored: re.Pattern[str]
    beginning: re.Pattern[str]


def _groups(delimiters: Iterable[str]) -> Iterator[_Group]:
    alike: dict[tuple[bool, str], list[str]] = {}
    for delimiter in delimiters:
        worded = any(map(str.isalnum, delimiter))
        own = "".join(sorted({sign for sign in delimiter if not sign.isalnum()}))
        alike.setdefault((worded, own), []).append(delimiter)
    for (worded, own), members in alike.items():
        if worded:
            ignored = rf"[^\w\n{re.escape(_COUNTED + own)}]+"
            ends = [rf"{re.escape(one[:-1])}(?::|$)" if one.endswith(":") else re.escape(one) for one in members]
            yield _Group(re.compile(ignored), re.compile(f"{_HEAD}(?:{'|'.join(ends)})"))
        else:
            emphasis = re.escape("".join(sign for sign in _EMPHASIS if sign not in own))
            yield _Group(re.compile(f"[{emphasis}]+"), re.compile("|".join(map(re.escape, members))))


class Quoter:
    """The quoting rule for one template's delimiters and one chat template's textual role markers."""

    def __init__(self, delimiters: Iterable[str], role_markers: Iterable[str] = (), cache_size: int = 1024) -> None:
        self._groups = tuple(_groups(delimiters))
        markers = sorted(role_markers, key=len, reverse=True)
        self._markers = re.compile("|".join(map(re.escape, markers)), re.IGNORECASE) if markers else None
        self._cached = remember(self._quote, cache_size)

    def __call__(self, text: str) -> str:
        """The text with delimiters quoted and role markers broken; most texts come back unchanged."""
        return self._cached(text)

    def _quote(self, text: str) -> str:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # JSON may bring lone surrogates
        if self._markers is not None:
            text = _broken(self._markers, text)
        folded = fold("\n".join(text.splitlines()))
        alike = {
            number
            for ignored, beginning in self._groups
            for number, line in enumerate(ignored.sub("", folded).split("\n"))
            if beginning.match(line)
        }
        lines = text.splitlines(keepends=True)
        return "".join(QUOTE_MARK + line if number in alike else line for number, line in enumerate(lines))


def _broken(markers: re.Pattern[str], text: str) -> str:
    """The text with a space behind the first character of each marker, as a tokenizer may normalise it."""
    shown = [
        (part, index)
        for index, character in enumerate(text)
        for part in (character if character.isascii() else unicodedata.normalize("NFKC", character))
        if part.isascii() or unicodedata.category(part) not in INVISIBLE
    ]
    first = {shown[match.start()][1] for match in markers.finditer("".join(part for part, _ in shown))}
    return "".join(f"{character} " if index in first else character for index, character in enumerate(text))
