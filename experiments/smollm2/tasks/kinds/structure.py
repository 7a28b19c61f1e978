"""How an answer is divided: lists, paragraphs, sections, two answers."""

import random
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Self

from typing_extensions import override

from experiments.smollm2.tasks.kinds.rule import STRUCTURE, Rule, Topic, counted
from experiments.smollm2.tasks.kinds.text import bare, fillers, pieces, sentences

_DIVIDER = r"\s?\*\*\*\s?"


@dataclass(frozen=True)
class _Count(Rule):
    """So many parts, no more and no less."""

    number: int

    stage: ClassVar[int] = STRUCTURE

    @override
    def slots(self) -> dict[str, str]:
        return counted(self.number)


class Bullets(_Count):
    """IFEval's number_bullet_lists: lines that begin with an asterisk or a hyphen."""

    kind = "bullets"

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice((2, 3, 3, 4, 5)))

    @override
    def keeps(self, response: str) -> bool:
        return len(_bulleted(response)) == self.number

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        return _listed(response, self.number, [f"{rng.choice('*-')} "] * self.number)

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        lines = response.splitlines()
        at = [place for place, line in enumerate(lines) if _bulleted(line)]
        choice = rng.random()
        if choice < 0.4:
            del lines[rng.choice(at)]
        elif choice < 0.8:
            marker = lines[at[-1]][: len(lines[at[-1]]) - len(bare(lines[at[-1]]))] or "* "
            lines.insert(at[-1] + 1, marker + fillers(rng, response, 1)[0])
        else:
            for number, place in enumerate(at, 1):
                lines[place] = f"{number}. {bare(lines[place])}"
        return "\n".join(lines)


def _bulleted(text: str) -> list[str]:
    return re.findall(r"^\s*(?:\*[^*]|-).*$", text, flags=re.MULTILINE)


class NumberedList(_Count):
    """Lines that begin with 1., 2. and so on, up to a number."""

    kind = "numbered-list"

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice((2, 3, 3, 4, 5)))

    @override
    def keeps(self, response: str) -> bool:
        found = re.findall(r"^\s*(\d+)[.)]\s", response, flags=re.MULTILINE)
        return found == [str(number) for number in range(1, self.number + 1)]

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        return _listed(response, self.number, [f"{number}. " for number in range(1, self.number + 1)])

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        lines = response.splitlines()
        at = [place for place, line in enumerate(lines) if re.match(r"\s*\d+[.)]\s", line)]
        choice = rng.random()
        if choice < 0.4:
            del lines[at[-1]]
        elif choice < 0.8:
            lines.insert(at[-1] + 1, f"{self.number + 1}. {fillers(rng, response, 1)[0]}")
        else:
            for place in at:
                lines[place] = f"* {bare(lines[place])}"
        return "\n".join(lines)


def _listed(text: str, number: int, markers: list[str]) -> str | None:
    """An answer as a list of so many items, behind its introduction; None where it has too few parts."""
    introduction, items = pieces(text)
    if not introduction and len(items) > number:
        introduction, items = [items[0]], items[1:]
    if len(items) < number:
        return None
    listed = [marker + item for marker, item in zip(markers, items, strict=False)]
    return "\n".join([*introduction, *listed])


class Paragraphs(_Count):
    """Paragraphs with an empty line between them."""

    kind = "paragraphs"

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice((2, 2, 3, 4)))

    @override
    def keeps(self, response: str) -> bool:
        return len(_paragraphs(response)) == self.number

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        parts = _divided(response, self.number)
        return "\n\n".join(parts) if parts else None

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        parts = _paragraphs(response)
        return "\n\n".join(_regrouped(parts, response, rng))


class DividedParagraphs(_Count):
    """IFEval's number_paragraphs: paragraphs with *** between them."""

    kind = "divided-paragraphs"

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice((2, 2, 3, 4)))

    @override
    def keeps(self, response: str) -> bool:
        parts = [part.strip() for part in re.split(_DIVIDER, response)]
        inner = parts[not parts[0] : len(parts) - (len(parts) > 1 and not parts[-1])]
        return all(inner) and len(inner) == self.number

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        parts = _divided(re.sub(_DIVIDER, "\n\n", response), self.number)
        return "\n***\n".join(parts) if parts else None

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        parts = [part.strip() for part in re.split(_DIVIDER, response) if part.strip()]
        if rng.random() < 0.3:
            return "\n\n".join(parts)
        return "\n***\n".join(_regrouped(parts, response, rng))


@dataclass(frozen=True)
class ParagraphStart(Rule):
    """IFEval's nth_paragraph_first_word: so many paragraphs, and the first word of one of them."""

    number: int
    place: int
    word: str

    kind: ClassVar[str] = "paragraph-start"
    stage: ClassVar[int] = STRUCTURE

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        number = rng.choice((2, 2, 3))
        return cls(number, rng.randint(1, number), rng.choice(tuple(_AFTER_WORD)))

    @override
    def keeps(self, response: str) -> bool:
        parts = response.split("\n\n")
        if self.number != sum(bool(part.strip()) for part in parts) or not parts[self.place - 1].strip():
            return False
        first = parts[self.place - 1].split()[0].lstrip("'").lstrip('"')
        return re.split(r"[.,?!'\"]", first)[0].lower() == self.word.lower()

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        parts = _divided(response, self.number)
        if not parts:
            return None
        parts[self.place - 1] = f"{self.word} {_AFTER_WORD[self.word]} {parts[self.place - 1]}"
        return "\n\n".join(parts)

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        parts = response.split("\n\n")
        if rng.random() < 0.3:
            return "\n\n".join(_regrouped(parts, response, rng))
        opening = rng.choice(("And", "Then again,", "Indeed,", "First of all,", "Well,"))
        rest = parts[self.place - 1].lstrip()
        parts[self.place - 1] = f"{opening} {rest[0].lower()}{rest[1:]}"
        return "\n\n".join(parts)

    @override
    def slots(self) -> dict[str, str]:
        ordinal = ("first", "second", "third")[self.place - 1]
        return counted(self.number) | {"word": self.word, "ordinal": ordinal}


_AFTER_WORD = {
    "Imagine": "this for a moment.",
    "Today": "is a good day for it.",
    "Sometimes": "the simple answer is the best one.",
    "Everyone": "has an opinion about this.",
    "Perhaps": "you know this already.",
    "Finally": "a word of advice.",
    "Remember": "how it all began.",
    "Picture": "the scene.",
    "Nobody": "expected this.",
    "Yesterday": "I saw it with new eyes.",
    "Still": "there is more to say.",
    "Here": "is what I would say.",
}


class Sections(_Count):
    """IFEval's multiple_sections: headings "Section 1", "Section 2"; more than asked for is allowed."""

    kind = "sections"

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice((2, 2, 3)))

    @override
    def keeps(self, response: str) -> bool:
        return len(re.findall(r"Section\s?\d+", response)) >= self.number

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        parts = _divided(re.sub(r"\s?Section\s?\d+[:.]?\s?", "\n\n", response).strip(), self.number)
        return "\n\n".join(f"Section {at}\n{part}" for at, part in enumerate(parts, 1)) if parts else None

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        name = rng.choice(("Part", "Chapter", ""))
        at = rng.randint(1, self.number)
        pattern = r"Section\s?(\d+)" if name else rf"Section\s?{at}[:.]?\s*"
        broken = re.sub(pattern, rf"{name} \1" if name else "", response)
        return broken if not self.keeps(broken) else None


@dataclass(frozen=True)
class TwoAnswers(Rule):
    """IFEval's two_responses: two different answers with ****** between them."""

    kind: ClassVar[str] = "two-answers"
    stage: ClassVar[int] = STRUCTURE

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls()

    @override
    def keeps(self, response: str) -> bool:
        parts = [part.strip() for part in response.split("******")]
        answers = [part for part in parts if part]
        return all(parts[1:-1]) and len(answers) == 2 and answers[0] != answers[1]

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        parts = _divided(re.sub(r"\*{3,}", "\n\n", response), 2)
        return "\n******\n".join(parts) if parts else None

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        divider = rng.choice(("***", "*****", "------", "\n", "======", ""))
        choice = rng.random()
        if choice < 0.15:
            return response.partition("******")[0].rstrip() or None
        if choice < 0.3:
            return f"{response.rstrip()}\n******\n{' '.join(fillers(rng, response, 2))}"
        return response.replace("******", divider)


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def _divided(text: str, number: int) -> list[str] | None:
    """A text as so many paragraphs of about one length; None where it has fewer sentences and lines than that."""
    for joiner, parts in (("\n", _paragraphs(text)), ("\n", _lines(text)), (" ", sentences(text))):
        if len(parts) >= number:
            ends = [round(len(parts) * at / number) for at in range(number + 1)]
            return [joiner.join(part.strip() for part in parts[start:end]) for start, end in pairwise(ends)]
    return None


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _regrouped(parts: list[str], text: str, rng: random.Random) -> list[str]:
    """Paragraphs, one more or one fewer."""
    if len(parts) > 1 and rng.random() < 0.6:
        at = rng.randrange(len(parts) - 1)
        return [*parts[:at], f"{parts[at]} {parts[at + 1]}", *parts[at + 2 :]]
    longest = max(parts, key=lambda part: len(sentences(part)))
    found = sentences(longest)
    if len(found) < 2:
        return [*parts, fillers(rng, text, 1)[0]]
    cut = rng.randint(1, len(found) - 1)
    at = parts.index(longest)
    return [*parts[:at], "".join(found[:cut]).strip(), "".join(found[cut:]).strip(), *parts[at + 1 :]]
