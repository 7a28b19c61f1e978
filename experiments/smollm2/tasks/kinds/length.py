"""Numbers of words and of sentences."""

import random
from dataclasses import dataclass
from typing import ClassVar, Self

from typing_extensions import override

from experiments.smollm2.tasks.kinds.rule import LENGTH, Rule, Topic, counted
from experiments.smollm2.tasks.kinds.text import (
    FILLERS,
    LEAST_WORDS,
    add_sentence,
    drop_last_sentence,
    fillers,
    sentences,
    words,
)

_MOST_ADDED = 4
"""Sentences of filling beyond this would be most of the answer."""


@dataclass(frozen=True)
class _WordCount(Rule):
    """A number of words between two bounds, both allowed."""

    low: int
    high: int

    stage: ClassVar[int] = LENGTH

    @override
    def keeps(self, response: str) -> bool:
        return self.low <= len(words(response)) <= self.high

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        text: str | None = response
        while text and len(words(text)) > self.high:
            text = drop_last_sentence(text)
        return text and _filled(text, self.low, self.high, rng)

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        text: str | None = response
        if self.low and (self.high > 10 * self.low or rng.random() < 0.5):
            while text and len(words(text)) >= self.low:
                text = drop_last_sentence(text)
            return text
        return _filled(response, self.high + 1, self.high + 15, rng)

    @override
    def slots(self) -> dict[str, str]:
        return {"low": str(self.low), "high": str(self.high), "over": str(self.high + 1), "under": str(self.low - 1)}


def _filled(text: str, low: int, high: int, rng: random.Random) -> str | None:
    """The text with sentences that fit anything, until it has enough words."""
    for filler in fillers(rng, text, _MOST_ADDED):
        if len(words(text)) >= low:
            break
        if len(words(text)) + len(words(filler)) <= high:
            text = add_sentence(text, filler)
    return text if low <= len(words(text)) <= high else None


class WordsAtLeast(_WordCount):
    """IFEval's number_words, "at least"."""

    kind = "words-at-least"

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice((30, 35, 40, 45, 50, 60, 70)), 10_000)


class WordsFewer(_WordCount):
    """IFEval's number_words, "less than"."""

    kind = "words-fewer"

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(0, rng.choice((15, 20, 25, 30, 35, 40, 50)) - 1)


class WordsBetween(_WordCount):
    """A range of words."""

    kind = "words-between"

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        low = rng.choice((15, 20, 25, 30, 40, 50))
        return cls(low, low + rng.choice((15, 20, 25)))


@dataclass(frozen=True)
class _SentenceCount(Rule):
    """A number of sentences between two bounds, both allowed."""

    low: int
    high: int

    stage: ClassVar[int] = LENGTH

    @override
    def keeps(self, response: str) -> bool:
        return self.low <= len(sentences(response)) <= self.high

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        found = sentences(response)
        if len(found) < self.low:
            return _lengthened(response, self.low, rng)
        left = "".join(found[: self.high]).rstrip()
        return left if len(words(left)) >= LEAST_WORDS else None

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        if self.low > 1 and (self.high > 10 * self.low or rng.random() < 0.5):
            left = "".join(sentences(response)[: self.low - 1]).rstrip()
            return left if len(words(left)) >= LEAST_WORDS else None
        return _lengthened(response, self.high + 1, rng)

    @override
    def slots(self) -> dict[str, str]:
        exact = self.low if self.low > 1 else self.high
        return counted(exact) | {"over": str(self.high + 1)}


def _lengthened(text: str, number: int, rng: random.Random) -> str | None:
    """The text with sentences that fit anything, until it has so many."""
    for filler in fillers(rng, text, min(len(FILLERS) // 2, _MOST_ADDED)):
        if len(sentences(text)) < number:
            text = add_sentence(text, filler)
    return text if len(sentences(text)) >= number else None


class SentencesExactly(_SentenceCount):
    """A number of sentences, no more and no less."""

    kind = "sentences-exactly"

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        number = rng.choice((1, 2, 2, 3, 3, 4))
        return cls(number, number)


class SentencesAtLeast(_SentenceCount):
    """IFEval's number_sentences, "at least"."""

    kind = "sentences-at-least"

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice((3, 4, 5)), 10_000)


class SentencesFewer(_SentenceCount):
    """IFEval's number_sentences, "less than"."""

    kind = "sentences-fewer"

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(0, rng.choice((3, 4, 5)) - 1)
