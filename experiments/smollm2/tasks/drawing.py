"""Tasks drawn from subjects, forms and phrasings; what is held out appears in no task of training."""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from experiments.smollm2.tasks.kinds.registry import KINDS, compatible
from experiments.smollm2.tasks.kinds.rule import Topic
from experiments.smollm2.tasks.task import Constraint, Task

Part = Literal["train", "held-out"]

_CONSTRAINTS = (1, 1, 2, 2, 2, 3)
"""Numbers of constraints, as often as they are listed."""


class _Subject(NamedTuple):
    name: str
    words: tuple[str, ...]
    sold: bool


class _Form(NamedTuple):
    name: str
    phrasings: Sequence[str]
    kinds: Sequence[str]
    """Kinds of constraint that suit it."""
    sold: bool


class _Material(NamedTuple):
    subjects: Sequence[_Subject]
    forms: Sequence[_Form]
    phrasings: Mapping[str, Sequence[str]]


def tasks(part: Part, number: int, seed: int) -> list[Task]:
    """Draw tasks of one part; the same arguments give the same tasks, and no prompt comes twice."""
    return list(islice(_drawn(part, seed), number))


def _drawn(part: Part, seed: int) -> Iterator[Task]:
    rng = random.Random(f"{part}:{seed}")
    seen = set()
    while True:
        task = _draw(_material(part), rng)
        if task.prompt not in seen:
            seen.add(task.prompt)
            yield task


def _draw(material: _Material, rng: random.Random) -> Task:
    kind = rng.choice(list(KINDS))
    form = rng.choice([form for form in material.forms if kind in form.kinds])
    subject = rng.choice([subject for subject in material.subjects if subject.sold or not form.sold])
    request = rng.choice(form.phrasings).format(subject=subject.name)
    words = tuple(word for word in subject.words if word not in request.lower())
    topic = Topic(subject.name, words, request)
    constraints = tuple(_worded(kind, material.phrasings[kind], topic, rng) for kind in _with_others(kind, form, rng))
    return Task(_joined(request, constraints, rng), constraints, subject.name, form.name, request)


def _with_others(kind: str, form: _Form, rng: random.Random) -> list[str]:
    """A kind, and perhaps others that suit it and the form, in any order."""
    drawn, number = [kind], rng.choice(_CONSTRAINTS)
    for other in rng.sample(form.kinds, len(form.kinds)):
        if len(drawn) < number and compatible([*drawn, other]):
            drawn.append(other)
    return rng.sample(drawn, len(drawn))


def _worded(kind: str, phrasings: Sequence[str], topic: Topic, rng: random.Random) -> Constraint:
    rule = KINDS[kind].draw(rng, topic)
    return Constraint(kind, rng.choice(phrasings).format(**rule.slots()), rule)


def _joined(request: str, constraints: Sequence[Constraint], rng: random.Random) -> str:
    """The request and its constraints as one prompt."""
    said = [constraint.words for constraint in constraints]
    if rng.random() < 0.15 and not re.search(
        r"\b(?:it|this|that|above|following|these)\b", " ".join(said), re.IGNORECASE
    ):
        return " ".join([*said, request])
    match rng.randrange(5):
        case 0:
            return "\n".join([request, *said])
        case 1:
            return request + "\n\n" + " ".join(said)
        case 2 if len(said) > 1:
            return request + "\n\n" + "\n".join(f"- {words}" for words in said)
        case 3 if len(said) > 1 and said[-1].split()[0] not in ("I", "Section") and said[-1][0].isalpha():
            return " ".join([request, *said[:-1], f"Also, {said[-1][0].lower()}{said[-1][1:]}"])
        case _:
            return " ".join([request, *said])


@cache
def _material(part: Part) -> _Material:
    """What a part draws from."""
    subjects = [
        _Subject(name, tuple(field["words"]), field.get("sold", False))
        for field in _read("subjects").values()
        for name in field[part]
    ]
    forms = [
        _Form(name, form[part], form.get("only") or _other_kinds(form.get("without", ())), form.get("for") == "sold")
        for name, form in _read("forms").items()
    ]
    return _Material(subjects, forms, {kind: said[part] for kind, said in _read("phrasings").items()})


def _other_kinds(without: Sequence[str]) -> list[str]:
    return [kind for kind in KINDS if kind not in without and kind != "choice"]


def _read(name: str) -> dict[str, dict[str, Any]]:
    content: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name(f"{name}.yaml").read_text())
    return content
