"""What is put into or around an answer: highlights, placeholders, hashtags, a title, JSON, quotation marks."""

import json
import random
import re
from dataclasses import dataclass
from typing import ClassVar, Self

from typing_extensions import override

from experiments.smollm2.tasks.kinds.rule import ORNAMENT, WRAPPING, Rule, Topic, counted
from experiments.smollm2.tasks.kinds.text import add_sentence, inside_word, sentences


@dataclass(frozen=True)
class Highlights(Rule):
    """IFEval's number_highlighted_sections, "at least"; two asterisks on each side count twice, as there."""

    number: int

    kind: ClassVar[str] = "highlights"
    stage: ClassVar[int] = ORNAMENT

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice((1, 2, 2, 3)))

    @override
    def keeps(self, response: str) -> bool:
        single = [found for found in re.findall(r"\*[^\n*]*\*", response) if found.strip("*").strip()]
        double = [found for found in re.findall(r"\*\*[^\n*]*\*\*", response) if found.strip("*").strip()]
        return len(single) + len(double) >= self.number

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        text = response.replace("*", "")
        places = list(re.finditer(r"(?<![\w'#\[<])[A-Za-z]{4,}(?: [a-z]{4,})?(?![\w'\]>])", text))
        if len(places) < self.number:
            return None
        for one in sorted(rng.sample(places, self.number), key=lambda place: -place.start()):
            text = f"{text[: one.start()]}*{one[0]}*{text[one.end() :]}"
        return text

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        if rng.random() < 0.2:
            return re.sub(r"\*+([^\n*]+)\*+", r'"\1"', response)
        while self.keeps(response) and (one := inside_word(rng, response, r"\*+([^\n*]+)\*+")):
            response = response[: one.start()] + one[1] + response[one.end() :]
        return response

    @override
    def slots(self) -> dict[str, str]:
        return counted(self.number)


@dataclass(frozen=True)
class Placeholders(Rule):
    """IFEval's number_placeholders, "at least"."""

    number: int

    kind: ClassVar[str] = "placeholders"
    stage: ClassVar[int] = ORNAMENT

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice((1, 2, 2, 3)))

    @override
    def keeps(self, response: str) -> bool:
        return len(re.findall(r"\[.*?\]", response)) >= self.number

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        missing = self.number - len(re.findall(r"\[.*?\]", response))
        for sentence in rng.sample(_WITH_PLACEHOLDER, missing):
            response = add_sentence(response, sentence)
        return response

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        while self.keeps(response) and (one := inside_word(rng, response, r"\[(.*?)\]")):
            inner = one[1].strip().lower() or "name"
            filled = rng.choice((_FILLED.get(inner, inner), f"({inner})", f"<{inner}>"))
            response = response[: one.start()] + filled + response[one.end() :]
        return response

    @override
    def slots(self) -> dict[str, str]:
        return counted(self.number)


_WITH_PLACEHOLDER = (
    "Call us at [phone number].",
    "Meet us at [address].",
    "Write to [email].",
    "It starts at [time].",
    "Ask for [name].",
    "It all happens on [date].",
    "Visit [website] for more.",
    "It was made in [city].",
    "The price is [price].",
    "Your friend [name] will be there too.",
    "I heard it from [person].",
    "You can find it at [place].",
    "Bring [item] with you.",
)
_FILLED = {
    "phone number": "555 0123",
    "address": "12 Mill Lane",
    "email": "hello@example.com",
    "time": "six in the evening",
    "name": "Anna",
    "your name": "Anna",
    "date": "the third of May",
    "website": "www.example.com",
    "city": "Leeds",
    "price": "ten dollars",
    "person": "my neighbor",
    "place": "the old market",
    "item": "a warm coat",
}


@dataclass(frozen=True)
class Hashtags(Rule):
    """An exact number of hashtags."""

    number: int
    topic: str

    kind: ClassVar[str] = "hashtags"
    stage: ClassVar[int] = ORNAMENT

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice((1, 2, 2, 3, 4)), " ".join((topic.subject, *topic.words)))

    @override
    def keeps(self, response: str) -> bool:
        return len(re.findall(_HASHTAG, response)) == self.number

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        while len(found := list(re.finditer(rf"\s*{_HASHTAG}", response))) > self.number:
            response = response[: found[-1].start()] + response[found[-1].end() :]
        missing = self.number - len(found)
        gap = "" if not missing else "\n" if rng.random() < 0.3 and not found else " "
        return response.rstrip() + gap + " ".join(self._new(response, missing, rng))

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        if rng.random() < 0.5:
            return f"{response.rstrip()} {self._new(response, 1, rng)[0]}"
        one = inside_word(rng, response, rf"\s*{_HASHTAG}")
        return one and (response[: one.start()] + response[one.end() :]).strip()

    def _new(self, text: str, number: int, rng: random.Random) -> list[str]:
        """Hashtags about the topic that the text does not have."""
        nouns = [word for word in re.findall(r"[a-z]{4,}", self.topic.lower()) if word not in _NO_TAG]
        joined = "".join(word.capitalize() for word in re.findall(r"\w+", self.topic.split(",")[0])[:2])
        tags = [f"#{word.capitalize()}" for word in nouns] + [f"#{joined}", *_USUAL_TAGS]
        fresh = list(dict.fromkeys(tag for tag in tags if tag.lower() not in text.lower()))
        return rng.sample(fresh[: number + 5], number)

    @override
    def slots(self) -> dict[str, str]:
        return counted(self.number)


_HASHTAG = r"(?<!\w)#[A-Za-z]\w*"
_NO_TAG = frozenset(
    {
        "about",
        "with",
        "from",
        "into",
        "that",
        "your",
        "their",
        "being",
        "having",
        "making",
        "first",
        "what",
        "when",
        "than",
    }
)
_USUAL_TAGS = ("#Inspiration", "#DailyJoy", "#GoodNews", "#LearnMore", "#LifeTips", "#Today", "#Ideas", "#Discover")


@dataclass(frozen=True)
class Title(Rule):
    """IFEval's title: something in double angular brackets."""

    topic: str

    kind: ClassVar[str] = "title"
    stage: ClassVar[int] = ORNAMENT

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(topic.subject)

    @override
    def keeps(self, response: str) -> bool:
        return any(found.lstrip("<").rstrip(">").strip() for found in re.findall(r"<<[^\n]+>>", response))

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        first, _, rest = response.partition("\n")
        marked = re.fullmatch(r"\s*(?:#+ |\*\*|<|\"|Title: )?\s*(.{3,60}?)(?:\*\*|>|\")?\s*", first)
        if rest.strip() and marked and not re.search(r"[.,!?:;]\W*$|^Dear|^Hi|^Hello|^\W*\d", first):
            return f"<<{marked[1]}>>\n{rest.lstrip()}"
        title = rng.choice(("{}", "{}", "{}", "All About {}", "A Word on {}", "Notes on {}", "Thinking of {}"))
        name = " ".join(word if word in _SMALL else word[0].upper() + word[1:] for word in self.topic.split())
        title = title.format(name)
        return f"<<{title[0].upper()}{title[1:]}>>\n{response.lstrip()}"

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        left, right = rng.choice(
            (("<", ">"), ("[[", "]]"), ("**", "**"), ("", ""), ('"', '"'), ("# ", ""), ("<<", ">"))
        )
        if rng.random() < 0.2:
            return re.sub(r"<<[^\n]+>>\s*", "", response).strip()
        return re.sub(r"<<([^\n]+?)>>", rf"{left}\1{right}", response)


_SMALL = frozenset({"a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "the", "to", "with"})


@dataclass(frozen=True)
class JsonOnly(Rule):
    """IFEval's json_format: the whole answer is JSON, in a fence of three back ticks or without."""

    kind: ClassVar[str] = "json"
    stage: ClassVar[int] = WRAPPING

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls()

    @override
    def keeps(self, response: str) -> bool:
        text = response.strip()
        for fence in ("```json", "```Json", "```JSON", "```"):
            text = text.removeprefix(fence)
        try:
            json.loads(text.removesuffix("```").strip())
        except ValueError:
            return False
        return True

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        text = re.sub(r"```\w*", "", response).strip()
        parts = [part.strip() for part in sentences(" ".join(text.split()))]
        if not parts or "{" in text:
            return None
        key = rng.choice(("text", "answer", "content", "response", "message"))
        value: dict[str, object] = {key: " ".join(parts)}
        if len(parts) > 1 and rng.random() < 0.5:
            value = {"title": parts[0].rstrip(".!"), key: " ".join(parts[1:])}
        elif len(parts) > 2 and rng.random() < 0.5:
            value = {key: parts}
        written = json.dumps(value, indent=rng.choice((None, 2)), ensure_ascii=False)
        return f"```json\n{written}\n```" if rng.random() < 0.3 else written

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        text = response.strip()
        plain = text.endswith("}")
        match rng.randrange(5):
            case 0:
                return f"{rng.choice(('Here is the JSON:', 'Sure!', 'Here you are:'))}\n{text}"
            case 1:
                return f"{text}\n{rng.choice(('I hope this helps.', 'Let me know if you need more.'))}"
            case 2 if plain:
                return text[:-1].rstrip()
            case 3 if plain:
                return f"{text[:-1].rstrip()},{text[-1]}"
            case _:
                return text.replace('":', '"', 1)


@dataclass(frozen=True)
class Quotes(Rule):
    """IFEval's quotation: the whole answer between double quotation marks."""

    kind: ClassVar[str] = "quotes"
    stage: ClassVar[int] = WRAPPING

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls()

    @override
    def keeps(self, response: str) -> bool:
        text = response.strip()
        return len(text) > 1 and text[0] == text[-1] == '"'

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        inner = response.strip().strip('"“”').replace("“", "'").replace("”", "'").replace('"', "'")
        return f'"{inner.strip()}"'

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        inner = response.strip().strip('"')
        match rng.randrange(6):
            case 0:
                return f'"{inner}'
            case 1:
                return f'{inner}"'
            case 2:
                return f"'{inner}'"
            case 3:
                return f'"{inner}" {rng.choice(("I hope you like it.", "Let me know what you think."))}'
            case 4:
                return f'{rng.choice(("Here it is:", "Sure!"))} "{inner}"'
            case _:
                return inner
