"""Where a text may be cut in two so that both parts, encoded apart, give the ids of the whole.

A cut between two words of trusted text, in front of the space, is one where no piece of the tokenizer's vocabulary
crosses it: then the model, whatever kind it is, joins nothing across it. How the text around it is split into words
and normalised depends on what stands close by, as long as the tokenizer does both by rules that look no further; these
are known by name. What a tokenizer puts in front of a text's first word is told from what it is there by encoding a
word before it once more.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

_SPLITS_NEARBY: Final = frozenset(
    {"BertPreTokenizer", "ByteLevel", "Digits", "Metaspace", "Punctuation", "Split", "Whitespace", "WhitespaceSplit"}
)
_NORMALISES_NEARBY: Final = frozenset(
    {"BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "Prepend",
     "Replace", "Strip", "StripAccents"}
)  # fmt: skip
_LOOKS_BACK: Final = re.compile(r"\(\?<[=!]|\\[AGKbB]|(?<![\[\\])\^")
"""In a pattern: what depends on the text before a match, or on where the text begins."""

_ACROSS: Final = re.compile("([A-Za-z])[ Ġ▁]")
"""In a vocabulary, spaces are themselves, or what byte-level tokenizers and SentencePiece write for them."""

_TWO_WORDS: Final = re.compile(r"(?<=\W)(?P<before>[A-Za-z]+)(?P<behind> [A-Za-z]+)(?=\W)")


class Joint(NamedTuple):
    """A cut of trusted text."""

    left: str
    word: str
    """The last one of `left`."""
    right: str


def word_ends(tokenizer: Mapping[str, Any]) -> frozenset[str]:
    """The letters behind which, in front of a space, a tokenizer never joins anything; by its serialisation."""
    model, normalizer, splitter = tokenizer["model"], tokenizer.get("normalizer"), tokenizer.get("pre_tokenizer")
    if not (_all_of(normalizer, _NORMALISES_NEARBY) and _all_of(splitter, _SPLITS_NEARBY)):
        return frozenset()
    vocabulary = model["vocab"]
    pieces: Iterable[str] = vocabulary if isinstance(vocabulary, dict) else (piece for piece, _ in vocabulary)
    letters = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    return letters.difference(_ACROSS.findall("\n".join(pieces)))


def _all_of(part: Mapping[str, Any] | None, known: frozenset[str]) -> bool:
    """Whether all steps of a normaliser or pre-tokenizer are known, and no pattern of theirs looks back."""
    return all(step["type"] in known and not _LOOKS_BACK.search(_pattern(step)) for step in _steps(part))


def _steps(part: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    if part is None:
        return
    if part["type"] == "Sequence":
        for step in part.get("normalizers") or part.get("pretokenizers") or ():
            yield from _steps(step)
    else:
        yield part


def _pattern(step: Mapping[str, Any]) -> str:
    pattern = step.get("pattern")
    return str(pattern.get("Regex", "")) if isinstance(pattern, Mapping) else ""


def last_joint(text: str, ends: frozenset[str]) -> Joint | None:
    """The last cut in trusted text, both of its words whole, that is allowed behind the letters given."""
    for match in reversed(list(_TWO_WORDS.finditer(text))):
        if match["before"][-1] in ends:
            place = match.start("behind")
            return Joint(text[:place], match["before"], text[place:])
    return None
