"""Case, punctuation, and which characters may be used."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

from typing_extensions import override

from experiments.smollm2.tasks.kinds.rule import ENDS, LETTERS, ORNAMENT, Rule, Topic, counted
from experiments.smollm2.tasks.kinds.text import NUMBERS, add_sentence, body_and_tail, inside_word, sentences, words


@dataclass(frozen=True)
class _Plain(Rule):
    """A constraint without parameters."""

    stage: ClassVar[int] = LETTERS

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls()


class LowerCase(_Plain):
    """IFEval's english_lowercase, without its guess at the language."""

    kind = "lower-case"

    @override
    def keeps(self, response: str) -> bool:
        return response.islower()

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        return response.lower()

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        if rng.random() < 0.3:
            return re.sub(r"(^\W*|[.!?]\s+)([a-z])", lambda found: found[1] + found[2].upper(), response)
        starts = r"(?:^|(?<=[.!?]\s)|(?<=\n))[a-z]" if rng.random() < 0.6 else r"\bi\b|\b[a-z](?=[a-z]{3})"
        one = inside_word(rng, response, starts) or inside_word(rng, response, r"\b[a-z]")
        return one and response[: one.start()] + one[0].upper() + response[one.end() :]


class UpperCase(_Plain):
    """IFEval's english_capital, without its guess at the language."""

    kind = "upper-case"

    @override
    def keeps(self, response: str) -> bool:
        return response.isupper()

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        return response.upper()

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        parts = sentences(response)
        if len(parts) > 1 and rng.random() < 0.5:
            at = rng.randrange(len(parts))
            parts[at] = re.sub(r"[A-Z]+", lambda found: found[0].capitalize(), parts[at].lower(), count=0)
            parts[at] = re.sub(r"[a-z]", lambda found: found[0].upper(), parts[at], count=1)
            return "".join(parts)
        one = inside_word(rng, response, r"\b[A-Z]{2,}\b")
        return one and response[: one.start()] + one[0].lower() + response[one.end() :]


class NoCommas(_Plain):
    """IFEval's no_comma."""

    kind = "no-commas"

    @override
    def keeps(self, response: str) -> bool:
        return "," not in response

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        text = re.sub(r",\s+(and|or)\b", r" \1", response)
        text = re.sub(r"(\w), (?=\w+ (?:and|or)\b)", r"\1 and ", text)
        text = re.sub(r"(?<=\d),(?=\d)", "", text)
        return text.replace(",", "")

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        places = r"(?<=\w)(?= (?:and|but|or|so|because|which|while|who|where|with|from|as)\b)"
        one = inside_word(rng, response, places) or inside_word(rng, response, r"(?<=\w)(?= \w)")
        return one and f"{response[: one.start()]},{response[one.start() :]}"


_TYPEWRITTEN = str.maketrans(
    {
        "\u2019": "'",
        "\u2018": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2013": "-",
        "\u2014": "-",
        "\u2026": "...",
        "é": "e",
    }
)
_EMOJI = ("😊", "🌟", "❤️", "🎉", "👍", "✨", "😄", "🌍", "🔥", "🙌")


class PlainCharacters(_Plain):
    """Nothing outside ASCII: no emoji, no typographic signs."""

    kind = "plain-characters"

    @override
    def keeps(self, response: str) -> bool:
        return response.isascii()

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        plain = response.translate(_TYPEWRITTEN)
        return re.sub(r" ?[^\x00-\x7f]+", "", plain)

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        if rng.random() < 0.3 and (one := inside_word(rng, response, r"(?<=[.!?])(?= )")):
            return f"{response[: one.start()]} {rng.choice(_EMOJI)}{response[one.start() :]}"
        return f"{response.rstrip()} {rng.choice(_EMOJI)}"


class NoDigits(_Plain):
    """No digit; numbers may be written out."""

    kind = "no-digits"

    @override
    def keeps(self, response: str) -> bool:
        return not re.search("[0-9]", response)

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        text = re.sub(r"^\s*\d+[.)]\s+", "", response, flags=re.MULTILINE)
        text = re.sub(r"(?<![\d.,$#-])\b(\d|10)\b(?![\d.,:%-]*\d)", lambda found: NUMBERS[int(found[0])], text)
        kept = [part for part in sentences(text) if not re.search("[0-9]", part)]
        return "".join(kept).strip() or None

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        written = inside_word(rng, response, r"\b(?:two|three|four|five|six|seven|eight|nine|ten)\b")
        if written:
            return response[: written.start()] + str(NUMBERS.index(written[0])) + response[written.end() :]
        number = rng.choice((2, 3, 5, 7, 10, 20, 24, 30, 100))
        sentence = rng.choice(
            (
                "It takes no more than {} minutes.",
                "More than {} others think so too.",
                "I can think of {} reasons for it.",
                "Give it {} days and you will see.",
            )
        )
        return add_sentence(response, sentence.format(number))


@dataclass(frozen=True)
class CapitalWords(Rule):
    """IFEval's capital_word_frequency, "at least"; a word is what stands between spaces and apostrophes."""

    number: int

    kind: ClassVar[str] = "capital-words"
    stage: ClassVar[int] = ORNAMENT

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice((2, 2, 3, 3, 4)))

    @override
    def keeps(self, response: str) -> bool:
        return len(capital_words(response)) >= self.number

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        missing = self.number - len(capital_words(response))
        found = list(re.finditer(r"(?<![\w#'\u2019<\[])[A-Za-z]?[a-z]{3,}(?![\w'\u2019>\]])", response))
        return _recased(response, rng.sample(found, missing), str.upper) if len(found) >= missing else None

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        surplus = len(capital_words(response)) - self.number + 1
        found = list(re.finditer(r"\b[A-Z]{2,}\b", response))
        return _recased(response, rng.sample(found, surplus), str.lower) if len(found) >= surplus else None

    @override
    def slots(self) -> dict[str, str]:
        return counted(self.number)


def capital_words(text: str) -> list[str]:
    """The words whose letters are all capitals."""
    parts = re.split(r"\s+|(?=')", text)
    return [word for part in parts if (word := part.strip(".,;:!?\"'()[]*<>")).isupper()]


def _recased(text: str, places: list[re.Match[str]], case: Callable[[str], str]) -> str:
    for one in sorted(places, key=lambda place: -place.start()):
        text = text[: one.start()] + case(one[0]) + text[one.end() :]
    return text


@dataclass(frozen=True)
class Exclamations(Rule):
    """An exact number of exclamation marks."""

    number: int

    kind: ClassVar[str] = "exclamations"
    stage: ClassVar[int] = LETTERS

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice((1, 1, 2, 2, 3)))

    @override
    def keeps(self, response: str) -> bool:
        return response.count("!") == self.number

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        return _with_marks(re.sub("!+", "!", response), self.number, rng)

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        more = rng.random() < 0.5
        return _with_marks(response, self.number + (1 if more else -1), rng)

    @override
    def slots(self) -> dict[str, str]:
        return counted(self.number)


def _with_marks(text: str, number: int, rng: random.Random) -> str | None:
    """The text with so many exclamation marks, in the place of full stops; None where there are too few."""
    have = text.count("!")
    wrong = "!" if have > number else r"(?<=[a-z])\.(?=\s|$)"
    right = "." if have > number else "!"
    places = [place.start() for place in re.finditer(wrong, text)]
    if len(places) < abs(have - number):
        return None
    for place in rng.sample(places, abs(have - number)):
        text = text[:place] + right + text[place + 1 :]
    return text


_QUESTIONS = (
    "What do you think?",
    "Would you agree?",
    "Have you ever tried it?",
    "Who would say no to that?",
    "Why not see for yourself?",
    "What would you do?",
    "Are you ready to begin?",
    "Does that sound like you?",
    "How about you?",
    "What is your story?",
)
_STATEMENTS = (
    "Let me know what you think.",
    "Tell me what you would do.",
    "I would like to hear your story.",
    "See for yourself.",
    "You be the judge.",
)


class QuestionAtEnd(_Plain):
    """The last character is a question mark."""

    kind = "question-at-end"
    stage: ClassVar[int] = ENDS

    @override
    def keeps(self, response: str) -> bool:
        return response.rstrip().endswith("?")

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        body, tail = body_and_tail(response)
        return None if tail else add_sentence(body, rng.choice(_QUESTIONS))

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        text = response.rstrip()
        choice = rng.random()
        if choice < 0.4:
            return add_sentence(text, rng.choice(_STATEMENTS))
        if choice < 0.7:
            return text.rstrip("?") + "."
        shorter = "".join(sentences(text)[:-1]).rstrip()
        return shorter if len(words(shorter)) > 4 and not self.keeps(shorter) else text.rstrip("?") + "!"
