"""Each kind of constraint on texts of which the verdict is plain."""

import random

import pytest

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
from experiments.smollm2.tasks.kinds.registry import KINDS, compatible
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
from experiments.smollm2.tasks.kinds.text import add_sentence, sentences, without_preamble

YES_OR_NO = Choice(("I agree.", "I disagree."))

EXAMPLES: list[tuple[Rule, list[str], list[str]]] = [
    (WordsAtLeast(4, 10_000), ["One two three four.", "It's two words"], ["One two three."]),
    (WordsFewer(0, 3), ["One two three."], ["One two three four."]),
    (WordsBetween(2, 3), ["one two", "one two three"], ["one", "one two three four"]),
    (SentencesExactly(2, 2), ["Mr. Fox came. He left!", "what? no"], ["Only one.", "One. Two. Three."]),
    (SentencesAtLeast(2, 10_000), ["One. Two."], ["A line\nand another", "At 3.5 miles, e.g. here."]),
    (SentencesFewer(0, 1), ["One... and no more.", "No stop"], ["One. Two."]),
    (Keywords(("snow", "sun")), ["Snowy days and SUN."], ["Snow alone."]),
    (KeywordFrequency("snow", 2), ["Snow on snow."], ["Snow."]),
    (ForbiddenWords(("great",)), ["It is the greatest."], ["It is Great!"]),
    (LetterAtLeast("s", 2), ["Sees"], ["See"]),
    (LetterFewer("s", 2), ["See"], ["Sees"]),
    (LowerCase(), ["all small, 1 time."], ["all but One", "123"]),
    (UpperCase(), ["ALL TALL, 1 TIME."], ["ALL BUT oNE", "123"]),
    (CapitalWords(2), ["WOW, so GREAT!", "U.S. and I"], ["WOW, so great!", "NOw THIs"]),
    (NoCommas(), ["a; b"], ["a, b"]),
    (
        PlainCharacters(),
        ["plain - text!"],
        ["a smile \N{SMILING FACE WITH OPEN MOUTH}", "the caf\N{LATIN SMALL LETTER E WITH ACUTE}"],
    ),
    (NoDigits(), ["two times"], ["2 times"]),
    (Exclamations(1), ["Go!"], ["Go.", "Go!!"]),
    (QuestionAtEnd(), ["Is it so? "], ["Is it so? Yes."]),
    (Bullets(2), ["Two:\n* one\n* two", "- one\n- two"], ["* one", "1. one\n2. two", "- one\n- two\n- three"]),
    (NumberedList(2), ["1. one\n2. two", "Two:\n1) one\n2) two"], ["1. one", "1. one\n1. two", "1. a\n2. b\n3. c"]),
    (Paragraphs(2), ["one\n\ntwo"], ["one\ntwo", "one\n\ntwo\n\nthree"]),
    (DividedParagraphs(2), ["one\n***\ntwo"], ["one\n\ntwo", "one\n***\n***\ntwo"]),
    (ParagraphStart(2, 2, "Still"), ["one\n\nStill, two"], ["one\n\nBut still", "Still\n\none", "Still one"]),
    (Sections(2), ["Section 1\na\nSection 2\nb"], ["Section 1\na", "Part 1\na\nPart 2\nb"]),
    (TwoAnswers(), ["one\n******\ntwo"], ["one\n******\none", "one\n***\ntwo", "one"]),
    (Highlights(1), ["an *old* tale", "an **old** tale"], ["an old tale", "one * star"]),
    (Placeholders(2), ["[name] of [city]"], ["[name] of (city)"]),
    (Hashtags(2, "snow"), ["So #cold and #White"], ["So #cold", "#a #b #c", "No. #1 and a#b"]),
    (Title("snow"), ["<<Snow>>\nIt falls."], ["<Snow>\nIt falls.", "<<>>"]),
    (JsonOnly(), ['{"a": "b"}', '```json\n["a"]\n```'], ['Here: {"a": "b"}', '{"a": "b",}', "text"]),
    (Quotes(), ['"all of it"'], ['"all of it', 'it is "quoted"', '"']),
    (Ending("The end."), ["So it was. The end.", '"the end."'], ["The end. Really.", "The end!"]),
    (Beginning("Good news"), ["Good news! It snows."], ["Very good news", "good news"]),
    (Postscript("P.S."), ["Hi.\nP.S. Bye."], ["Hi.\nPS Bye.", "Hi."]),
    (Postscript("P.P.S."), ["Hi.\nP.P.S. Bye."], ["Hi.\nP.S. Bye."]),
    (RepeatRequest("Say hi."), ["Say hi.\n\nHi."], ["Hi.", "Sure! Say hi. Hi."]),
    (YES_OR_NO, ["I agree.", "Well. I disagree. It is dull."], ["I agree", "Yes."]),
]


@pytest.mark.parametrize(("rule", "kept", "not_kept"), EXAMPLES, ids=[rule.kind for rule, *_ in EXAMPLES])
def test_a_plain_case_is_told(rule: Rule, kept: list[str], not_kept: list[str]) -> None:
    assert [text for text in kept if not rule.keeps(text)] == []
    assert [text for text in not_kept if rule.keeps(text)] == []


def test_every_kind_has_an_example() -> None:
    assert {rule.kind for rule, *_ in EXAMPLES} == set(KINDS)


def test_sentences_join_to_the_text_that_they_are_of() -> None:
    text = 'He said "Stop." Dr. No left at 5 p.m. today... and then? Nothing!\n\n1. A list\n'
    assert "".join(sentences(text)) == text
    assert [part.strip() for part in sentences(text)] == [
        'He said "Stop."',
        "Dr. No left at 5 p.m. today... and then?",
        "Nothing!",
        "1. A list",
    ]


def test_a_sentence_is_added_before_what_closes_a_letter() -> None:
    letter = "Dear Ann,\n\nI am well, and so is the cat.\n\nBest wishes,\nTom"
    assert add_sentence(letter, "Write soon.") == (
        "Dear Ann,\n\nI am well, and so is the cat. Write soon.\n\nBest wishes,\nTom"
    )


def test_a_chatty_opening_is_no_part_of_an_answer() -> None:
    assert without_preamble('Sure! Here is a tweet: "Snow fell all night long."') == "Snow fell all night long."
    assert without_preamble("Here: this is it") == "Here: this is it"


@pytest.mark.parametrize(
    "kinds",
    [
        ("lower-case", "upper-case"),
        ("words-at-least", "words-fewer"),
        ("json", "quotes"),
        ("bullets", "numbered-list"),
        ("ending", "question-at-end"),
        ("letter-fewer", "keywords"),
        ("title", "title"),
    ],
)
def test_what_contradicts_does_not_stand_together(kinds: tuple[str, str]) -> None:
    assert not compatible(kinds)
    assert not compatible(kinds[::-1])


def test_repairs_keep_and_breaks_do_not() -> None:
    text = "Snow is a gift, as we all know. It makes the whole garden quiet! Do you like it as much as I do?"
    rng = random.Random(0)
    beyond_repair = set()
    for rule, *_ in EXAMPLES:
        repaired = text if rule.keeps(text) else rule.repair(text, rng)
        if repaired is None:
            beyond_repair.add(rule.kind)
            continue
        assert rule.keeps(repaired), rule.kind
        broken = rule.break_(repaired, rng)
        assert broken is None or not rule.keeps(broken), rule.kind
    assert beyond_repair == {"words-fewer", "words-between"}


def test_an_answer_with_every_option_has_no_subtle_break() -> None:
    assert YES_OR_NO.break_("I agree. Or do I? I disagree.", random.Random(0)) is None
