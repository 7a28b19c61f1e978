"""Quoting: data cannot write the lines that fence it in.

The rule. A line of data that begins like a delimiter of the judgment prompt gets "> " in front. Delimiters are the
template's own lines (`-----`, `Response B:`, `Please choose either A or B.`) and the labels of turns (`User:`); case,
leading white space, invisible characters and compatibility forms (full-width letters) do not hide a delimiter, and
every line break that Unicode knows begins a line. And where a chat template marks roles by ordinary text (`[/INST]`,
`USER:`) instead of control tokens, such a marker is broken by a space behind its first character wherever data spells
it.

Control tokens are not dealt with here: data never encodes to one (tokens.py).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import dropwhile, islice
from typing import Final

from selfjudge.memo import remember
from selfjudge.template import JudgmentTemplate, Wording, split_fields

QUOTE_MARK: Final = "> "
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Mn"})
"""Unicode categories that a reader may not see: controls, formats, unassigned, private, and marks upon others."""


def delimiters(template: JudgmentTemplate, wording: Wording) -> frozenset[str]:
    """How the template's lines begin: each line of the user turn up to its first field, and the labels of turns."""
    field = "\0"
    lines = field.join(wording.user).split("\n")
    labels = template.turns.model_dump(exclude={"separator"}).values()
    beginnings = [line.split(field)[0] for line in lines] + [split_fields(label)[0][0] for label in labels]
    return frozenset(filter(None, map(_plain, beginnings)))


def _plain(line: str, length: int | None = None) -> str:
    """The first `length` characters of a line as a reader sees them, without what hides its beginning."""
    stripped = line.strip()
    if stripped.isascii() and stripped.isprintable():  # nearly every line; the same result, found 20 times faster
        return stripped[:length].casefold()
    beginning = islice(dropwhile(str.isspace, _visible(line)), length)
    return "".join(_visible(unicodedata.normalize("NFKD", "".join(beginning)))).strip().casefold()


def _visible(text: str) -> Iterator[str]:
    return (character for character in text if unicodedata.category(character) not in _INVISIBLE)


class Quoter:
    """The quoting rule for one template's delimiters and one chat template's textual role markers."""

    def __init__(self, delimiters: Iterable[str], role_markers: Iterable[str] = (), cache_size: int = 1024) -> None:
        self._delimiters = tuple(delimiters)
        self._longest = max(map(len, self._delimiters), default=0)
        markers = sorted(role_markers, key=len, reverse=True)
        self._markers = re.compile("|".join(map(re.escape, markers)), re.IGNORECASE) if markers else None
        self._cached = remember(self._quote, cache_size)

    def __call__(self, text: str) -> str:
        """The text with delimiters quoted and role markers broken; most texts come back unchanged."""
        return self._cached(text)

    def _quote(self, text: str) -> str:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # JSON may bring lone surrogates
        if self._markers is not None:
            text = self._markers.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)
        return "".join(map(self._quote_line, text.splitlines(keepends=True)))

    def _quote_line(self, line: str) -> str:
        return QUOTE_MARK + line if _plain(line, self._longest).startswith(self._delimiters) else line
