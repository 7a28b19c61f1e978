"""Words and letters that must or must not appear."""

import random
import re
from dataclasses import dataclass
from typing import ClassVar, Self

from typing_extensions import override

from experiments.smollm2.tasks.kinds.rule import CONTENT, LETTERS, Rule, Topic, counted
from experiments.smollm2.tasks.kinds.text import LEAST_WORDS, add_sentence, sentences, without_sentences, words

_WITH_WORD = (
    "Think of the {} as well.",
    "Do not forget the {}.",
    "The {} has its part in this too.",
    "Some people start with the {}.",
    "For many it all comes down to the {}.",
    "And then there is the {}.",
    "Much depends on the {}.",
    "The {} makes all the difference.",
    "Keep the {} in mind.",
    "It would not be the same without the {}.",
    "A word about the {} belongs here too.",
    "The {} is what I remember best.",
    "Let us not overlook the {}.",
    "What would it be without the {}?",
)
_WITH_WORDS = (
    "Think of the {} and the {} as well.",
    "The {} and the {} go well together.",
    "It has a lot to do with the {} and the {}.",
    "Neither the {} nor the {} should be missing.",
    "Start with the {} and then turn to the {}.",
    "You will soon see how the {} and the {} are connected.",
)
REPLACEMENTS = {
    "great": "wonderful",
    "very": "quite",
    "amazing": "remarkable",
    "important": "essential",
    "people": "folks",
    "beautiful": "lovely",
    "perfect": "ideal",
    "unique": "special",
    "also": "too",
    "many": "several",
    "love": "enjoy",
    "help": "support",
    "new": "fresh",
    "best": "finest",
    "delicious": "tasty",
    "good": "fine",
    "always": "forever",
    "really": "truly",
    "just": "simply",
    "make": "create",
    "world": "globe",
    "day": "afternoon",
    "time": "moment",
    "first": "earliest",
    "favorite": "preferred",
    "easy": "simple",
    "often": "frequently",
    "different": "various",
    "life": "living",
}
"""Words that answers use without being asked, each with a word that can stand in its place."""


@dataclass(frozen=True)
class Keywords(Rule):
    """IFEval's existence: each word occurs somewhere, in any case, inside a longer word too."""

    listed: tuple[str, ...]

    kind: ClassVar[str] = "keywords"
    stage: ClassVar[int] = CONTENT

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(tuple(rng.sample(topic.words, rng.choice((1, 2, 2, 3)))))

    @override
    def keeps(self, response: str) -> bool:
        return all(word.lower() in response.lower() for word in self.listed)

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        missing = [word for word in self.listed if word.lower() not in response.lower()]
        if len(missing) > 1:
            response = add_sentence(response, rng.choice(_WITH_WORDS).format(*missing[:2]))
            missing = missing[2:]
        return add_sentence(response, rng.choice(_WITH_WORD).format(*missing)) if missing else response

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        word = rng.choice(self.listed)
        substitute = rng.choice(("idea", "detail", "subject", "matter", "topic"))
        return _replaced(response, re.escape(word) + r"\w*", substitute, 0)

    @override
    def slots(self) -> dict[str, str]:
        return {"words": listing(self.listed), "s": "" if len(self.listed) == 1 else "s"}


@dataclass(frozen=True)
class KeywordFrequency(Rule):
    """IFEval's frequency, "at least"."""

    word: str
    number: int

    kind: ClassVar[str] = "keyword-frequency"
    stage: ClassVar[int] = CONTENT

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice(topic.words), rng.choice((2, 2, 3)))

    @override
    def keeps(self, response: str) -> bool:
        return response.lower().count(self.word.lower()) >= self.number

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        missing = self.number - response.lower().count(self.word.lower())
        for sentence in rng.sample(_WITH_WORD, missing):
            response = add_sentence(response, sentence.format(self.word))
        return response

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        return _replaced(response, rf"(?<!\w){re.escape(self.word)}\b", rng.choice(("one", "thing")), self.number - 1)

    @override
    def slots(self) -> dict[str, str]:
        return {"word": self.word} | counted(self.number)


@dataclass(frozen=True)
class ForbiddenWords(Rule):
    """IFEval's forbidden_words: whole words, in any case."""

    listed: tuple[str, ...]

    kind: ClassVar[str] = "forbidden-words"
    stage: ClassVar[int] = CONTENT

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        usual = [word for word in REPLACEMENTS if word not in topic.request.lower().split()]
        return cls(tuple(rng.sample(usual, rng.choice((1, 2, 2, 3)))))

    @override
    def keeps(self, response: str) -> bool:
        return not any(re.search(_whole(word), response, re.IGNORECASE) for word in self.listed)

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        pattern = "|".join(_whole(word) for word in self.listed)
        if rng.random() < 0.7 and (shorter := without_sentences(response, pattern)):
            return shorter
        for word in self.listed:
            response = _replaced(response, _whole(word), REPLACEMENTS[word], 0) or response
        return response

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        for word in rng.sample(self.listed, len(self.listed)):
            substituted = _replaced(response, _whole(REPLACEMENTS[word]), word, 0, most=1)
            if substituted:
                return substituted
        adjectives = [word for word in self.listed if word in _BEFORE_NOUN]
        if adjectives and (found := re.search(r"\b(a|the) (?=[b-df-hj-np-tv-z]\w{3,})", response)):
            word = rng.choice(adjectives)
            return f"{response[: found.end()]}{word} {response[found.end() :]}"
        return add_sentence(response, _USING.get(self.listed[0], "There is {} to say about it.").format(self.listed[0]))

    @override
    def slots(self) -> dict[str, str]:
        return {
            "words": listing(self.listed),
            "either": listing(self.listed, "or"),
            "s": "" if len(self.listed) == 1 else "s",
        }


_BEFORE_NOUN = frozenset({"great", "beautiful", "perfect", "unique", "new", "best", "good", "favorite", "different"})
_USING = {
    "great": "It is a great thing to share.",
    "very": "It means very much to me.",
    "amazing": "It is amazing in every way.",
    "important": "That is important to know.",
    "people": "Tell other people about it.",
    "beautiful": "It is beautiful in its own way.",
    "perfect": "It is perfect for today.",
    "unique": "There is something unique about it.",
    "also": "It is also worth your time.",
    "many": "There are many reasons for it.",
    "love": "You will love it.",
    "help": "It can help you every day.",
    "new": "It always feels new.",
    "best": "It is simply the best.",
    "delicious": "It sounds delicious.",
    "good": "It is a good place to begin.",
    "always": "It is always there for you.",
    "really": "It is really worth it.",
    "just": "It is just what I was looking for.",
    "make": "It will make you smile.",
    "world": "There is nothing like it in the world.",
    "day": "It will brighten your day.",
    "time": "Take your time with it.",
    "first": "It is not easy at first.",
    "favorite": "It is a favorite of mine.",
    "easy": "It is easy to begin.",
    "often": "I often think about it.",
    "different": "Each one is different.",
    "life": "It is a part of life.",
}


@dataclass(frozen=True)
class _LetterCount(Rule):
    """How often a letter occurs, in either case."""

    letter: str
    number: int

    stage: ClassVar[int] = CONTENT

    def count(self, text: str) -> int:
        """The letter's occurrences."""
        return text.lower().count(self.letter)

    @override
    def slots(self) -> dict[str, str]:
        return {"letter": self.letter} | counted(self.number)


class LetterAtLeast(_LetterCount):
    """IFEval's letter_frequency, "at least"."""

    kind = "letter-at-least"

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        letter = rng.choice("bfghkmpvwyz")
        return cls(letter, rng.choice((2, 3, 4) if letter in "kvz" else (4, 5, 6, 8)))

    @override
    def keeps(self, response: str) -> bool:
        return self.count(response) >= self.number

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        useful = sorted(_LETTER_SENTENCES, key=lambda text: (-self.count(text), rng.random()))
        for sentence in useful[:2]:
            if self.count(response) < self.number:
                response = add_sentence(response, sentence)
        return response if self.keeps(response) else None

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        kept = sentences(response)
        while len(kept) > 1 and self.count("".join(kept)) >= self.number:
            kept.remove(max(kept[1:], key=self.count))
        left = "".join(kept).strip()
        return left if self.count(left) < self.number and len(words(left)) >= LEAST_WORDS else None


_LETTER_SENTENCES = (
    "Bring both the big book and the baby blue blanket.",
    "Five friends offered fresh fruit for free.",
    "Giving is a bigger gift than getting.",
    "Have a happy heart and hold on to hope.",
    "Keep a kind word and a quick look at the clock.",
    "Maybe my mother made more memories than most.",
    "People prefer a simple plan and a proper purpose.",
    "Every village values a very vivid view.",
    "We will wait and watch what we want with wonder.",
    "Why not try it any day you enjoy?",
    "Crazy puzzles and lazy breezes amaze the dozens who gaze.",
    "Both hobbies began as a bold bet.",
    "A fair offer finds its way after a few efforts.",
    "Great things begin with giving and sharing.",
    "The whole household has heard how much that helps.",
    "Take a break and look back at the work.",
    "Some memories come from the smallest moments.",
    "A proper plan helps people keep up.",
    "It gives everyone five lively and very vivid evenings.",
    "Now we know how we grow when we follow what we know.",
    "They say any day may carry your story away.",
    "A dozen prizes dazzle with a breezy size.",
)


class LetterFewer(_LetterCount):
    """IFEval's letter_frequency, "less than"."""

    kind = "letter-fewer"
    stage: ClassVar[int] = LETTERS

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice("bcfgkmpvwy"), rng.choice((2, 3, 4, 5)))

    @override
    def keeps(self, response: str) -> bool:
        return self.count(response) < self.number

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        kept = sentences(response)
        while len(kept) > 1 and self.count("".join(kept)) >= self.number:
            kept.remove(max(kept, key=self.count))
        left = "".join(kept).strip()
        return left if self.keeps(left) and len(words(left)) >= LEAST_WORDS else None

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        useful = sorted(_LETTER_SENTENCES, key=lambda text: (-self.count(text), rng.random()))
        return add_sentence(response, useful[0]) if self.count(response + useful[0]) >= self.number else None


def listing(listed: tuple[str, ...], joiner: str = "and") -> str:
    """Words in quotation marks, as a sentence lists them."""
    quoted = [f'"{word}"' for word in listed]
    return f" {joiner} ".join(part for part in (", ".join(quoted[:-1]), quoted[-1]) if part)


def _whole(word: str) -> str:
    return rf"\b{re.escape(word)}\b"


def _cased(word: str, like: str) -> str:
    """A word in the case of another."""
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word[0].upper() + word[1:] if like[0].isupper() else word


def _replaced(text: str, pattern: str, word: str, kept: int, most: int = 0) -> str | None:
    """The text with a word in place of all matches but the first so many; None where nothing matches."""
    seen = 0

    def substitute(found: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        return found[0] if seen <= kept or (most and seen > kept + most) else _cased(word, found[0])

    edited = re.sub(pattern, substitute, text, flags=re.IGNORECASE)
    return edited if edited != text else None
