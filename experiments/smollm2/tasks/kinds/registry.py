"""All kinds, and which of them may stand together."""

from collections.abc import Collection, Mapping
from itertools import combinations

from experiments.smollm2.tasks.kinds.ends import Beginning, Choice, Ending, Postscript, RepeatRequest
from experiments.smollm2.tasks.kinds.keywords import (
    ForbiddenWords,
    KeywordFrequency,
    Keywords,
    LetterAtLeast,
    LetterFewer,
)
from experiments.smollm2.tasks.kinds.length import (
    SentencesAtLeast,
    SentencesExactly,
    SentencesFewer,
    WordsAtLeast,
    WordsBetween,
    WordsFewer,
)
from experiments.smollm2.tasks.kinds.letters import (
    CapitalWords,
    Exclamations,
    LowerCase,
    NoCommas,
    NoDigits,
    PlainCharacters,
    QuestionAtEnd,
    UpperCase,
)
from experiments.smollm2.tasks.kinds.ornaments import Hashtags, Highlights, JsonOnly, Placeholders, Quotes, Title
from experiments.smollm2.tasks.kinds.rule import Rule
from experiments.smollm2.tasks.kinds.structure import (
    Bullets,
    DividedParagraphs,
    NumberedList,
    Paragraphs,
    ParagraphStart,
    Sections,
    TwoAnswers,
)

KINDS: Mapping[str, type[Rule]] = {
    rule.kind: rule
    for rule in (
        WordsAtLeast,
        WordsFewer,
        WordsBetween,
        SentencesExactly,
        SentencesAtLeast,
        SentencesFewer,
        Keywords,
        KeywordFrequency,
        ForbiddenWords,
        LetterAtLeast,
        LetterFewer,
        LowerCase,
        UpperCase,
        CapitalWords,
        NoCommas,
        PlainCharacters,
        NoDigits,
        Exclamations,
        QuestionAtEnd,
        Bullets,
        NumberedList,
        Paragraphs,
        DividedParagraphs,
        ParagraphStart,
        Sections,
        TwoAnswers,
        Highlights,
        Placeholders,
        Hashtags,
        Title,
        JsonOnly,
        Quotes,
        Ending,
        Beginning,
        Postscript,
        RepeatRequest,
        Choice,
    )
}

_SENTENCES = {"sentences-exactly", "sentences-at-least", "sentences-fewer"}
_WORDS = {"words-at-least", "words-fewer", "words-between"}
_PARTS = {"bullets", "numbered-list", "paragraphs", "divided-paragraphs", "paragraph-start", "sections", "two-answers"}
_UNCOUNTABLE = {*_PARTS, "hashtags", "postscript", "title"}
_CASES = {"lower-case", "upper-case", "capital-words"}
_EXCLUSIVE = (
    _WORDS,
    _SENTENCES,
    _PARTS,
    _CASES,
    {"letter-at-least", "letter-fewer"},
    {"keywords", "keyword-frequency"},
)
"""At most one of each group."""

_ONLY_WITH: Mapping[str, Collection[str]] = {
    "json": {"keywords", "forbidden-words", "plain-characters", "no-digits"},
    "two-answers": {"keywords", "forbidden-words", "title", "no-commas", "plain-characters", "no-digits", *_CASES},
    "repeat-request": {"keywords", "placeholders", "hashtags", "postscript", "ending", "bullets", "highlights"},
    "choice": (),
}
"""What changes so much of an answer that it suits few others."""

_CONFLICTS: Mapping[str, Collection[str]] = {
    # A line that opens with an asterisk is a bullet, and a divider is made of asterisks.
    "highlights": {"bullets", "divided-paragraphs", "two-answers"},
    # What is asked for word for word has letters in both cases.
    "lower-case": {"beginning", "ending", "postscript", "sections", "paragraph-start"},
    "upper-case": {"beginning", "ending", "sections", "paragraph-start", "placeholders"},
    # Lists, headings, tags and postscripts have no countable sentences.
    "sentences-exactly": _UNCOUNTABLE | {"ending", "beginning", "words-at-least", "words-between"},
    "sentences-at-least": _UNCOUNTABLE | {"words-fewer", "words-between"},
    "sentences-fewer": _UNCOUNTABLE | {"ending", "beginning", "words-at-least", "words-between"},
    # A letter that is rare must not be part of what has to be there.
    "letter-fewer": {
        "keywords",
        "keyword-frequency",
        "beginning",
        "ending",
        "sections",
        "hashtags",
        "placeholders",
        "postscript",
        "paragraph-start",
        "title",
        "words-at-least",
        "words-between",
        "sentences-at-least",
    },
    "no-digits": {"numbered-list", "sections"},
    "no-commas": {"beginning"},
    "exclamations": {"beginning", "ending", "title"},
    "ending": {"question-at-end", "postscript", "hashtags"},
    "question-at-end": {"quotes", "hashtags", "postscript", "bullets", "numbered-list"},
    "beginning": {"title", "quotes", "sections", "bullets", "numbered-list", "paragraph-start"},
    "postscript": {"hashtags", *_PARTS},
    "hashtags": {"sections", "numbered-list"},
    "words-fewer": {"letter-at-least", "keyword-frequency", *_PARTS},
}


def compatible(kinds: Collection[str]) -> bool:
    """Whether constraints of these kinds can be kept together by a natural answer."""
    return len(set(kinds)) == len(kinds) and all(_suit(*pair) for pair in combinations(kinds, 2))


def _suit(one: str, other: str) -> bool:
    for left, right in ((one, other), (other, one)):
        if right in _CONFLICTS.get(left, ()) or (left in _ONLY_WITH and right not in _ONLY_WITH[left]):
            return False
    return not any(one in group and other in group for group in _EXCLUSIVE)
