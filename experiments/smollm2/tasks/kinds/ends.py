"""How an answer begins and ends, and answers of which the words are given."""

import random
import re
from dataclasses import dataclass
from typing import ClassVar, Self

from typing_extensions import override

from experiments.smollm2.tasks.kinds.rule import ENDS, Rule, Topic
from experiments.smollm2.tasks.kinds.text import LEAST_WORDS, fillers, sentences, words

_ENDINGS = (
    "That is all for now.",
    "Thank you for reading.",
    "Now it is your turn.",
    "And that is the whole story.",
    "Let me know what you think.",
    "See you next time.",
    "Is there anything you would add?",
    "What would you have done?",
    "The rest is up to you.",
    "I would do it all again.",
    "Hope to see you there.",
    "Enjoy every minute of it.",
    "Simple as that.",
    "Have a wonderful day.",
    "Stay curious.",
    "More on this tomorrow.",
    "You will not regret it.",
    "That is what I call a good day.",
    "Ask me again next year.",
    "This is only the beginning.",
    "Take it from me.",
    "Never stop learning.",
    "Nothing more needs to be said.",
    "With warm wishes from all of us.",
)


@dataclass(frozen=True)
class Ending(Rule):
    """IFEval's end_checker: the last words, in any case; a closing quotation mark may follow."""

    phrase: str

    kind: ClassVar[str] = "ending"
    stage: ClassVar[int] = ENDS

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice(_ENDINGS))

    @override
    def keeps(self, response: str) -> bool:
        return response.strip().strip('"').lower().endswith(self.phrase.lower())

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        text = response.rstrip()
        if self.phrase in text:
            text = text[: text.rindex(self.phrase)].rstrip()
        quoted = text.startswith('"') and text.endswith('"')
        text = text[:-1] if quoted else text
        stop = "" if not text or text[-1] in ".!?:\"'”)*>]" or "\n" in text else "."
        gap = "\n\n" if "\n" in text else " "
        return f"{text}{stop}{gap}{self.phrase}".strip() + ('"' if quoted else "")

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        text = response.strip().strip('"')
        before = text[: len(text) - len(self.phrase)].rstrip()
        match rng.randrange(4):
            case 0:
                return f"{text} {fillers(rng, text, 1)[0]}"
            case 1:
                last = self.phrase[-1]
                return f"{before} {self.phrase[:-1]}{rng.choice([mark for mark in '.!?' if mark != last])}"
            case 2 if len(words(before)) >= LEAST_WORDS:
                return before
            case _:
                return f"{before} {rng.choice([other for other in _ENDINGS if other != self.phrase])}"

    @override
    def slots(self) -> dict[str, str]:
        return {"phrase": self.phrase}


@dataclass(frozen=True)
class Beginning(Rule):
    """The first words, exactly."""

    phrase: str

    kind: ClassVar[str] = "beginning"
    stage: ClassVar[int] = ENDS

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice(tuple(_AFTER_BEGINNING)))

    @override
    def keeps(self, response: str) -> bool:
        return response.lstrip().startswith(self.phrase)

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        return f"{self.phrase}{_AFTER_BEGINNING[self.phrase]} {response.lstrip()}"

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        text = response.lstrip()
        match rng.randrange(4):
            case 0:
                return f"{rng.choice(('Sure!', 'Well,', 'Okay.', 'Of course.', 'So,'))} {text}"
            case 1:
                return text.replace(self.phrase, " ".join(self.phrase.split()[:-1]), 1)
            case 2 if len(found := sentences(text)) > 1:
                return "".join(found[1:]).lstrip()
            case _:
                others = [other for other in _AFTER_BEGINNING if other != self.phrase]
                return rng.choice(others) + text[len(self.phrase) :]

    @override
    def slots(self) -> dict[str, str]:
        return {"phrase": self.phrase}


_AFTER_BEGINNING = {
    "Believe it or not": ", this is worth telling.",
    "Here is a thought": ".",
    "To be honest": ", I did not expect this.",
    "Listen closely": ".",
    "Good news": "!",
    "As everyone knows": ", there is more to it.",
    "Let me tell you something": ".",
    "In a nutshell": ", it comes to this.",
    "If you ask me": ", it is simple.",
    "Dear reader": ", this one is for you.",
    "Step by step": ", it all makes sense.",
    "First things first": ".",
    "Here we go": ".",
    "You will not believe this": ".",
    "What a day": "!",
    "Let us begin": ".",
    "The short answer": " is this.",
    "I have a secret": ".",
    "Picture this": ".",
    "Ask anyone": " and you will hear the same.",
    "It is no surprise": " that people talk about this.",
    "Years ago": ", nobody would have believed it.",
}


@dataclass(frozen=True)
class Postscript(Rule):
    """IFEval's postscript: P.S. or P.P.S somewhere, in any case."""

    marker: str

    kind: ClassVar[str] = "postscript"
    stage: ClassVar[int] = ENDS

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice(("P.S.", "P.S.", "P.S.", "P.P.S.")))

    @override
    def keeps(self, response: str) -> bool:
        pattern = r"p\.\s?p\.\s?s" if self.marker == "P.P.S." else r"p\.\s?s\."
        return bool(re.search(pattern, response, re.IGNORECASE))

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        gap = "\n\n" if "\n" in response.strip() else "\n"
        return f"{response.rstrip()}{gap}{self.marker} {fillers(rng, response, 1)[0]}"

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        pattern = r"p\.\s?(?:p\.\s?)?s\.?:?"
        if rng.random() < 0.4:
            return re.split(rf"\s*{pattern}", response, flags=re.IGNORECASE)[0].strip() or None
        other = ("Note:", "PS", "By the way,", "N.B.") + (("P.S.",) if self.marker == "P.P.S." else ("P.P.S.",))
        return re.sub(pattern, rng.choice(other), response, flags=re.IGNORECASE)

    @override
    def slots(self) -> dict[str, str]:
        return {"marker": self.marker}


@dataclass(frozen=True)
class RepeatRequest(Rule):
    """IFEval's repeat_prompt: the answer opens with the request, in any case."""

    request: str

    kind: ClassVar[str] = "repeat-request"
    stage: ClassVar[int] = ENDS

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(topic.request)

    @override
    def keeps(self, response: str) -> bool:
        return response.strip().lower().startswith(self.request.lower())

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        return f"{self.request}{rng.choice((chr(10), chr(10) * 2))}{response.lstrip()}"

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        rest = response.strip()[len(self.request) :].lstrip()
        match rng.randrange(4):
            case 0:
                return f"{rng.choice(('Request:', 'You asked:', 'Sure!', 'Here is your request:'))} {response.strip()}"
            case 1:
                parts = self.request.split()
                del parts[rng.randrange(1, len(parts))]
                return f"{' '.join(parts)}\n\n{rest}"
            case 2 if len(words(rest)) >= LEAST_WORDS:
                return rest
            case _ if len(words(rest)) >= LEAST_WORDS:
                return f"{rest}\n\n{self.request}"
            case _:
                return f'"{response.strip()}"'


@dataclass(frozen=True)
class Choice(Rule):
    """IFEval's constrained_response: one of the options stands in the answer."""

    options: tuple[str, ...]

    kind: ClassVar[str] = "choice"
    stage: ClassVar[int] = ENDS

    @override
    @classmethod
    def draw(cls, rng: random.Random, topic: Topic) -> Self:
        return cls(rng.choice(_OPTIONS))

    @override
    def keeps(self, response: str) -> bool:
        return any(option in response for option in self.options)

    @override
    def repair(self, response: str, rng: random.Random) -> str | None:
        option = self._meant(response, rng)
        if rng.random() < 0.5:
            return option
        first = sentences(response)[0].strip() if sentences(response) else ""
        return f"{option} {first}" if re.search(r"[.!]$", first) and not first.lower().startswith("i ") else option

    def _meant(self, response: str, rng: random.Random) -> str:
        """The option that a free answer comes closest to."""
        opening = response.lower()[:40]
        leaning = 1 if re.search(r"\b(no|not|never|unlikely|disagree)\b", opening) else 0 if "yes" in opening else None
        return self.options[rng.randrange(len(self.options)) if leaning is None else leaning]

    @override
    def break_(self, response: str, rng: random.Random) -> str | None:
        option = next(option for option in self.options if option in response)
        core = re.sub(r"^I would say |^The answer is |^It is a |\.$", "", option)
        instead = (
            f"I think the answer could be {core}.",
            f"{core.capitalize()}, I believe.",
            option.replace("would say", "guess").rstrip(".") + ", more or less.",
            "It depends on whom you ask.",
            f"{core.capitalize()}, of course!",
        )
        broken = [text for words in instead if not self.keeps(text := response.replace(option, words))]
        return rng.choice(broken) if broken else None

    @override
    def slots(self) -> dict[str, str]:
        quoted = [f'"{option}"' for option in self.options]
        return {"options": f"{', '.join(quoted[:-1])} or {quoted[-1]}", "lines": "\n".join(self.options)}


_OPTIONS = (
    ("Yes for sure.", "No way.", "That depends."),
    ("I would say yes.", "I would say no.", "I would say sometimes."),
    ("Definitely yes.", "Definitely not.", "Hard to tell."),
    ("The answer is yes.", "The answer is no.", "The answer is unclear."),
    ("It is a yes from me.", "It is a no from me.", "It is a maybe from me."),
    ("I agree.", "I disagree.", "I am not sure."),
)
