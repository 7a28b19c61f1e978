"""What verifiers and edits share: words, sentences, the end of an answer's body, sentences that fit any subject."""

import random
import re
from string import ascii_uppercase

LEAST_WORDS = 4
"""An edit that would leave fewer words has nothing left to be an answer."""

_CUT_FROM = 50
"""Words; a shorter answer has not met the limit of tokens."""

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

_ABBREVIATIONS = frozenset(
    {"mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "etc", "e.g", "i.e"}
    | {"p.s", "p.p.s", "u.s", "u.k", "a.m", "p.m", "approx", "dept"}
)
_SENTENCE_END = re.compile(r"[.!?]+[\"'\u201d\u2019)\]*_]*(?=\s)")
_SIGN_OFF = re.compile(
    r"\n\s*(?:best|sincerely|kind|warm|yours|love|thank you|thanks|regards|cheers|with love|see you|take care)"
    r"\b[^\n.!?]{0,40}(?:\n[^\n]{0,60}){0,3}\s*$",
    re.IGNORECASE,
)
_TAIL = re.compile(r"(?:\s+#\w+)+\s*$|\n+\s*p\.\s?(?:p\.\s?)?s\b[^\n]*\s*$", re.IGNORECASE)

FILLERS = (
    "It is well worth a closer look.",
    "Many people find more in it than they expected.",
    "A little patience goes a long way here.",
    "There is always something new to learn about it.",
    "Small details make a big difference.",
    "Try it once and you will see why.",
    "It often surprises people the first time.",
    "Good things like this take time.",
    "Take your time and enjoy every part of it.",
    "Friends and family often have the best advice about it.",
    "It can change the way you see an ordinary day.",
    "There is no single right way to think about it.",
    "Everyone has a story to tell about it.",
    "It has kept people curious for a long time.",
    "A good start makes everything else easier.",
    "What matters most is to begin.",
    "Even a few minutes can be enough.",
    "You do not have to be an expert to enjoy it.",
    "The best part is sharing it with others.",
    "It is simple once you know how it works.",
    "Ask a question whenever something is unclear.",
    "People of all ages can find joy in it.",
    "Every season brings a new side of it.",
    "Old habits and new ideas meet here.",
    "That is why so many people keep coming back to it.",
    "It rewards those who pay attention.",
    "Look closely and you will notice more.",
    "It is easy to forget how much work stands behind it.",
    "A quiet moment is the best time for it.",
    "Share what you have found with someone you trust.",
    "Nothing about it needs to be complicated.",
    "The more you know about it the more you will like it.",
    "It brings people together in a friendly way.",
    "Some of the best memories begin like this.",
    "There is a good reason for all of this.",
    "It is one of those things that never gets old.",
)


def words(text: str) -> list[str]:
    """The words of a text, as IFEval counts them."""
    return re.findall(r"\w+", text)


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with the white space before it, so that joining them gives the text back.

    A line's end alone ends no sentence, as in IFEval's tokenizer.
    """
    found, start = [], 0
    for end in _SENTENCE_END.finditer(text):
        if text[start : end.end()].strip() and not _abbreviated(text, end):
            found.append(text[start : end.end()])
            start = end.end()
    if text[start:].strip():
        found.append(text[start:])
    elif found:
        found[-1] += text[start:]
    return found


def _abbreviated(text: str, end: re.Match[str]) -> bool:
    """Whether the full stop belongs to a short form, an initial, or dots inside a sentence."""
    if re.search(r"(?:^|\n)\s*\d+$", text[: end.start()]):
        return True  # the number of a list's item
    rest = text[end.end() :].lstrip()
    if end.group().startswith(".."):
        return rest[:1].islower()
    word = text[: end.start()].split()[-1:] if end.group().startswith(".") else []
    last = word[0].lstrip("([\"'\u201c\u2018*_") if word else ""
    return last.lower() in _ABBREVIATIONS or (len(last) == 1 and last in ascii_uppercase and last != "I")


def body_and_tail(text: str) -> tuple[str, str]:
    """An answer's body, and what closes it: a sign-off with a name, hashtags, a postscript."""
    text = text.rstrip()
    for pattern in (_SIGN_OFF, _TAIL):
        if (closing := pattern.search(text)) and len(words(text[: closing.start()])) >= LEAST_WORDS:
            return text[: closing.start()].rstrip(), text[closing.start() :]
    return text, ""


def without_preamble(text: str) -> str:
    """An answer without a chatty line before it, and without the quotation marks that then surround it."""
    chatty = r"(?:sure|certainly|of course|absolutely|here(?:'s| is| are)|here you go)\b[^\n]{0,100}?:\s*"
    opening = re.match(chatty, text.lstrip(), re.IGNORECASE)
    rest = text.lstrip()[opening.end() :].strip() if opening else ""
    if len(words(rest)) < LEAST_WORDS:
        return text.strip()
    return rest[1:-1].strip() if rest[0] == rest[-1] == '"' and rest.count('"') == 2 else rest


def without_fragment(text: str) -> str:
    """A long answer without the unfinished sentence at which the limit of tokens has cut it."""
    text = text.rstrip()
    if len(words(text)) < _CUT_FROM or re.search(r"[.!?\"'\u201d*)\]>}`]$|#\w+$", text):
        return text
    ends = [match.end() for match in re.finditer(r"[.!?][\"'\u201d\u2019)\]*_]*(?=\s)|(?<=[^\s:])(?=\n)", text)]
    return text[: ends[-1]] if ends and len(words(text[: ends[-1]])) >= _CUT_FROM // 2 else text


def add_sentence(text: str, sentence: str) -> str:
    """The text with one more sentence at the end of its body."""
    body, tail = body_and_tail(text)
    gap = "\n" if is_item(body.rpartition("\n")[2]) else " "
    stop = "" if not body or body[-1] in ".!?:\"'\u201d*>)]" else "."
    return f"{body}{stop}{gap}{sentence}{tail}".lstrip()


def drop_last_sentence(text: str) -> str | None:
    """The text without its body's last sentence, or None where nothing would be left."""
    body, tail = body_and_tail(text)
    kept = "".join(sentences(body)[:-1]).rstrip()
    return kept + tail if len(words(kept)) >= LEAST_WORDS else None


def without_sentences(text: str, pattern: str) -> str | None:
    """The text without the sentences in which a pattern is found, or None where too little would be left."""
    kept = [part for part in sentences(text) if not re.search(pattern, part, re.IGNORECASE)]
    left = "".join(kept).strip()
    return left if len(words(left)) >= LEAST_WORDS else None


def is_item(line: str) -> bool:
    """Whether a line is an item of a list."""
    return bool(re.match(r"\s*(?:[-*•]\s|\d+[.)]\s)", line))


def pieces(text: str) -> tuple[list[str], list[str]]:
    """An answer as an introduction and items: those of a list where there is one, else lines, else sentences."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    marked = [is_item(line) for line in lines]
    if sum(marked) >= 2:
        first = marked.index(True)
        items = [bare(line) for line, item in zip(lines, marked, strict=True) if item]
        return lines[:first], [item for item in items if item]
    if len(lines) >= 3:
        return [], [bare(line) for line in lines]
    return [], [part.strip() for part in sentences(" ".join(lines))]


def bare(line: str) -> str:
    """A line without its list marker."""
    return re.sub(r"^\s*(?:[-*•]+\s+|\d+[.)]\s+)", "", line).strip()


def fillers(rng: random.Random, text: str, number: int) -> list[str]:
    """So many sentences that fit any subject and are not in the text yet."""
    return rng.sample([filler for filler in FILLERS if filler.lower() not in text.lower()], number)


def inside_word(rng: random.Random, text: str, pattern: str) -> re.Match[str] | None:
    """One of a pattern's matches, drawn."""
    found = list(re.finditer(pattern, text))
    return rng.choice(found) if found else None
