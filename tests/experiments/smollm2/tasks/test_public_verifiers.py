"""Our verdicts against those of IFEval's own verifiers, as PyPI's if-verifiable ships them.

Two of them load data of NLTK's that must not be downloaded here: sentences are split by the same algorithm without its
trained list of abbreviations, words by the same tokenizer without splitting into sentences before. The language is not
guessed: IFEval also asks for English in its constraints on case, and we don't.
"""

import random
import re
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module

import pytest

from experiments.smollm2.tasks.kinds.ends import Choice, Ending, Postscript, RepeatRequest
from experiments.smollm2.tasks.kinds.keywords import (
    ForbiddenWords,
    KeywordFrequency,
    Keywords,
    LetterAtLeast,
    LetterFewer,
)
from experiments.smollm2.tasks.kinds.length import SentencesAtLeast, SentencesFewer, WordsAtLeast, WordsFewer
from experiments.smollm2.tasks.kinds.letters import CapitalWords, LowerCase, NoCommas, UpperCase
from experiments.smollm2.tasks.kinds.ornaments import Highlights, JsonOnly, Placeholders, Quotes, Title
from experiments.smollm2.tasks.kinds.rule import Rule, Topic
from experiments.smollm2.tasks.kinds.structure import Bullets, DividedParagraphs, ParagraphStart, Sections, TwoAnswers
from tests.experiments.smollm2.tasks.answers import ANSWERS

# Untyped, and wanted by no other test.
langdetect, nltk, punkt = (import_module(name) for name in ("langdetect", "nltk", "nltk.tokenize.punkt"))
PUBLIC = import_module("if_verifiable.ifeval.instructions_registry").INSTRUCTION_DICT
TOPIC = Topic("the first snow", ("garden", "morning", "family", "light"), "Write a tweet about the first snow.")

SHARED: dict[type[Rule], Callable[..., tuple[str, dict[str, object]]]] = {
    WordsAtLeast: lambda rule: ("length_constraints:number_words", {"relation": "at least", "num_words": rule.low}),
    WordsFewer: lambda rule: ("length_constraints:number_words", {"relation": "less than", "num_words": rule.high + 1}),
    SentencesAtLeast: lambda rule: (
        "length_constraints:number_sentences",
        {"relation": "at least", "num_sentences": rule.low},
    ),
    SentencesFewer: lambda rule: (
        "length_constraints:number_sentences",
        {"relation": "less than", "num_sentences": rule.high + 1},
    ),
    Keywords: lambda rule: ("keywords:existence", {"keywords": list(rule.listed)}),
    KeywordFrequency: lambda rule: (
        "keywords:frequency",
        {"keyword": rule.word, "frequency": rule.number, "relation": "at least"},
    ),
    ForbiddenWords: lambda rule: ("keywords:forbidden_words", {"forbidden_words": list(rule.listed)}),
    LetterAtLeast: lambda rule: (
        "keywords:letter_frequency",
        {"letter": rule.letter, "let_frequency": rule.number, "let_relation": "at least"},
    ),
    LetterFewer: lambda rule: (
        "keywords:letter_frequency",
        {"letter": rule.letter, "let_frequency": rule.number, "let_relation": "less than"},
    ),
    LowerCase: lambda rule: ("change_case:english_lowercase", {}),
    UpperCase: lambda rule: ("change_case:english_capital", {}),
    CapitalWords: lambda rule: (
        "change_case:capital_word_frequency",
        {"capital_frequency": rule.number, "capital_relation": "at least"},
    ),
    NoCommas: lambda rule: ("punctuation:no_comma", {}),
    Bullets: lambda rule: ("detectable_format:number_bullet_lists", {"num_bullets": rule.number}),
    DividedParagraphs: lambda rule: ("length_constraints:number_paragraphs", {"num_paragraphs": rule.number}),
    ParagraphStart: lambda rule: (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": rule.number, "nth_paragraph": rule.place, "first_word": rule.word.lower()},
    ),
    Sections: lambda rule: (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": rule.number},
    ),
    TwoAnswers: lambda rule: ("combination:two_responses", {}),
    Highlights: lambda rule: ("detectable_format:number_highlighted_sections", {"num_highlights": rule.number}),
    Placeholders: lambda rule: ("detectable_content:number_placeholders", {"num_placeholders": rule.number}),
    Title: lambda rule: ("detectable_format:title", {}),
    JsonOnly: lambda rule: ("detectable_format:json_format", {}),
    Quotes: lambda rule: ("startend:quotation", {}),
    Ending: lambda rule: ("startend:end_checker", {"end_phrase": rule.phrase}),
    Postscript: lambda rule: (
        "detectable_content:postscript",
        {"postscript_marker": rule.marker.replace("P.P.S.", "P.P.S")},
    ),
    RepeatRequest: lambda rule: ("combination:repeat_prompt", {"prompt_to_repeat": rule.request}),
    Choice: lambda rule: ("detectable_format:constrained_response", {}),
}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = punkt.PunktParameters()
    parameters.abbrev_types = {
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "sr",
        "jr",
        "vs",
        "etc",
        "e.g",
        "i.e",
        "p.s",
        "a.m",
        "p.m",
    }
    splitter = punkt.PunktSentenceTokenizer(parameters)
    monkeypatch.setattr("if_verifiable.ifeval.instructions_util._get_sentence_tokenizer", lambda: splitter)
    monkeypatch.setattr(nltk, "word_tokenize", partial(nltk.word_tokenize, preserve_line=True))
    monkeypatch.setattr(langdetect, "detect", lambda text: "en")


def public_verdict(rule: Rule, text: str) -> bool:
    name, arguments = SHARED[type(rule)](rule)
    checker = PUBLIC[name](name)
    checker.build_description(**arguments)
    return bool(checker.check_following(text))


def texts_for(rule: Rule, rng: random.Random) -> Iterator[str]:
    """Samples as they are, edited to keep the rule, and then to break it."""
    for answer in rng.sample(ANSWERS, 40):
        yield answer
        if kept := answer if rule.keeps(answer) else rule.repair(answer, rng):
            yield kept
            if rule.keeps(kept) and (broken := rule.break_(kept, rng)):
                yield broken


def drawn(kind: type[Rule], rng: random.Random) -> Rule:
    """A rule with parameters that the public verifier knows as well: it has options of its own."""
    if kind is Choice:
        return Choice(("My answer is yes.", "My answer is no.", "My answer is maybe."))
    return kind.draw(rng, TOPIC)


@pytest.mark.parametrize("kind", SHARED, ids=lambda kind: kind.kind)
def test_verdicts_are_those_of_ifeval(kind: type[Rule]) -> None:
    rng = random.Random(kind.kind)
    verdicts = set()
    for _ in range(5):
        rule = drawn(kind, rng)
        for text in texts_for(rule, rng):
            if not differs_on_purpose(rule, text):
                assert rule.keeps(text) == public_verdict(rule, text), text
                verdicts.add(rule.keeps(text))
    assert verdicts == {True, False}


def differs_on_purpose(rule: Rule, text: str) -> bool:
    """Whether sentences may be counted otherwise: full stops behind an item's number, behind one letter, in dots."""
    if isinstance(rule, SentencesAtLeast | SentencesFewer):
        return bool(re.search(r"^\s*\d+\.|\b[^\W\d]\.|\.\.", text, re.MULTILINE))
    return False
