"""What a character looks like, for comparing texts as a reader does: letters of other scripts, dashes, blanks.

`fold` makes texts that look alike equal. Case, blanks, accents and invisible characters are gone; compatibility forms
(full width, mathematical, circled) are plain; letters of other scripts are the Latin ones whose shape they have, a
selection from the confusables of Unicode's technical standard 39; i, l and 1 are one, as o and 0 are. So are dashes and
underscores, quotation marks, and the marks that end a sentence or a heading. Line feeds stay.

Ways to spell a word alike with other letters (`vv` for w, `3` for e) are not covered.
"""

# ruff: noqa: RUF001

import re
import unicodedata
from functools import lru_cache
from typing import Final

INVISIBLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Mn"})
"""Unicode categories that a reader may not see: controls, formats, unassigned, private, and marks upon others."""

_LETTERS: Final = {
    "a": "⍺ɑαаΑАᎪᗅꓮ",
    "b": "ƄЬᏏᑲᖯꞴΒВᏴᗷꓐ",
    "c": "ⲥсςϲϹⲤСᏟꓚ",
    "d": "ԁᏧᑯꓒᎠᗞᗪꓓ",
    "e": "℮ꬲеҽ⋿ΕЕⴹᎬꓰεЄє",
    "f": "ꬵꞙẝքꞘϜᖴꓝ",
    "g": "ɡᶃƍցԌᏀᏳꓖ",
    "h": "һհᏂΗⲎНᎻᕼꓧ",
    "j": "ϳјꞲͿЈᎫᒍꓙ",
    "k": "ΚⲔКᏦᛕꓗκк",
    "l": "⍳ıɪɩιіꙇӏᎥ١۱ƖǀΙⲒІӀוןاߊⵏᛁꓲⳐᏞᒪꓡ",
    "m": "ΜϺⲘМᎷᗰᛖꓟм",
    "n": "ոռΝⲚꓠ",
    "o": "ంಂംං०੦૦௦౦೦൦๐໐၀٥۵ᴑꬽοσⲟоჿօסهഠဝ߀০୦〇ΟⲞОՕⵔዐଠꓳ",
    "p": "⍴ρⲣрΡⲢРᏢᑭꓑ",
    "q": "ԛգզⵕ",
    "r": "ꭇꭈᴦⲅгƦᎡᏒᖇꓣ",
    "s": "ꜱƽѕЅՏᏕᏚꓢ",
    "t": "⊤⟙ΤⲦТᎢꓔτт",
    "u": "ꞟꭎꭒʋυս∪⋃Սሀᑌꓴ",
    "v": "∨⋁νѵט٧۷ѴⴸᏙᐯꛟꓦ",
    "w": "ɯѡԝաԜᎳᏔꓪ",
    "x": "᙮×хᕁᕽ᙭╳ꞳΧⲬХⵝᚷꓫ",
    "y": "ɣᶌỿꭚγуүყΥⲨУҮᎩᎽꓬ",
    "z": "ΖᏃꓜ",
}
_DASHES: Final = "_⁃˗−➖Ⲻ۔ߺ¯‾ˍ⎺⎻⎼⎽╴╶╌┄┈"
_WIDE_DASHES: Final = "—―─━═⎯⏤ーㅡ一"
_LONGER_DASHES: Final = {"⸺": "----", "⸻": "------"}
_QUOTES: Final = "'\"`´‘’‛′‵՚׳ʹˈˊˋ˴ʻʽʼʾ“”„‟″«»‹›"
_ENDS: Final = ":;.!?։܃܄᛬᠃᠉⁚׃˸꞉∶ːꓽ။。।…"
_NAMED: Final = re.compile(
    r"(?:LATIN|NEGATIVE|SQUARED|REGIONAL) .*\b(?:LETTER|CAPITAL) (?:SMALL CAPITAL )?(?P<letter>[A-Z])(?: WITH .*)?"
)
"""Names of Latin letters with a stroke or a hook, of small capitals, and of letters in boxes and flags."""

_ALIKE: Final[dict[str, str]] = {
    **{source: letter for letter, sources in _LETTERS.items() for source in sources},
    **dict.fromkeys(_DASHES, "-"),
    **dict.fromkeys(_WIDE_DASHES, "--"),
    **_LONGER_DASHES,
    **dict.fromkeys(_QUOTES, "'"),
    **dict.fromkeys(_ENDS, ":"),
    **dict.fromkeys("iI1lL", "l"),
    "0": "o",
}


@lru_cache(4096)
def _folded(character: str) -> str:
    parts = [
        part
        for part in unicodedata.normalize("NFKD", character)
        if not part.isspace() and unicodedata.category(part) not in INVISIBLE
    ]
    return "".join(map(_alike, parts if character not in _ALIKE else character))


def _alike(character: str) -> str:
    if character in _ALIKE:
        return _ALIKE[character]
    if unicodedata.category(character) == "Pd":
        return "-"
    if not character.isascii() and (named := _NAMED.fullmatch(unicodedata.name(character, ""))):
        character = named["letter"]
    return "".join(_ALIKE.get(part, part) for part in character.casefold())


class _Folds(dict[int, str | None]):
    """Every character's fold, found when it is first asked for; only those of ASCII are kept here."""

    def __missing__(self, code: int) -> str | None:
        return _folded(chr(code)) or None


_FOLDS: Final = _Folds({code: _folded(chr(code)) or None for code in range(128)} | {ord("\n"): "\n"})


def fold(text: str) -> str:
    """The text as it looks, blanks left out; see the head of this file."""
    return text.translate(_FOLDS)
