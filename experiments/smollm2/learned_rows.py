"""What is learned of verified answers: scored rows, demonstrations among them, and pairs.

An edit makes a right answer of a wrong one, or the reverse, by a single constraint: so the judge learns the difference
that the constraint makes, where the base never keeps it (lower case) or never breaks it.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from selfjudge_training.seeds import derived_seed

from experiments.smollm2.sampling import Answer
from experiments.smollm2.smollm2_recipe import Round
from experiments.smollm2.tasks import Task

OFF_TOPIC = "it answers another request"
GARBLED = "it is garbled"

Row = dict[str, object]


class Verified(NamedTuple):
    """An answer and the truth about it."""

    text: str
    why: str = ""
    """What is wrong with it; empty: nothing."""
    demonstrate: bool = False
    """Whether it is one to learn to give."""
    score: float | None = None
    """The judge's so far, where there is one."""

    @property
    def fools(self) -> bool:
        """Whether the judge so far is wrong about it."""
        return self.score is not None and (self.score > 0.5) == bool(self.why)


class Learned(NamedTuple):
    """All that a round learns."""

    scores: list[Row]
    """As format `scored`."""
    pairs: list[Row]
    """As format `preferences`."""


def make_rows(tasks: Sequence[Task], answers: Sequence[Sequence[Answer]], plan: Round, seed: int) -> Learned:
    """Rows in an order that tells nothing."""
    rng = random.Random(derived_seed(seed, "rows"))
    scores, pairs = list[Row](), list[Row]()
    for place, (task, given) in enumerate(zip(tasks, answers, strict=True)):
        right = _right(task, given, rng)
        wrong = _wrong(task, given, right, rng, broken_first=rng.random() < plan.rows.broken)
        if rng.random() < plan.rows.off_topic:
            stranger = answers[(place + 1 + rng.randrange(len(tasks) - 1)) % len(tasks)]
            wrong = [*_off_topic(task, stranger, rng), *wrong]
        if right and wrong and rng.random() < plan.rows.pairs:
            pairs.append({"prompt": task.prompt, "chosen": right[0].text, "rejected": wrong[0].text})
        for each in [*_mined(right, plan.rows.right), *_mined(wrong, plan.rows.wrong)]:
            scores += [_scored(task, each)] * (plan.fooled if each.fools else 1)
    rng.shuffle(scores)
    return Learned(scores, pairs)


def _mined(verified: Sequence[Verified], most: int) -> list[Verified]:
    """The first of them, those that fool the judge before all others."""
    return sorted(verified, key=lambda each: not each.fools)[:most]


def _scored(task: Task, answer: Verified) -> Row:
    row: Row = {"prompt": task.prompt, "response": answer.text, "right": not answer.why}
    return row | ({"rationale": f": {answer.why}"} if answer.why else {"demonstrate": answer.demonstrate})


def _distinct(verified: Iterator[Verified]) -> list[Verified]:
    return list({each.text: each for each in verified}.values())


def _right(task: Task, answers: Sequence[Answer], rng: random.Random) -> list[Verified]:
    """Sampled ones first; then answers of the bare request, and wrong ones, edited."""

    def found() -> Iterator[Verified]:
        sampled = [each for each in answers if each.asked == "task"]
        yield from (Verified(each.text, "", True, each.score) for each in sampled if task.keeps(each.text))
        for each in [*(each for each in answers if each.asked == "bare"), *sampled]:
            text = None if task.keeps(each.text) else task.repaired(each.text, rng)
            if text is not None:
                yield Verified(text, demonstrate=each.asked == "bare")

    return _distinct(found())


def _wrong(
    task: Task, answers: Sequence[Answer], right: Sequence[Verified], rng: random.Random, *, broken_first: bool
) -> list[Verified]:
    """Sampled ones, those of the bare request among them; right ones with an edit make up for those that lack.

    Garbled ones come before all; an edited one comes next where it is to be learned in any case.
    """

    def found() -> Iterator[Verified]:
        yield from (Verified(each.text, GARBLED) for each in answers if each.asked == "garbled")
        broken = (task.broken(each.text, rng) for each in right)
        edited = (Verified(each[0], _broken_words(task, each[0])) for each in broken if each is not None)
        yield from islice(edited, int(broken_first))
        for each in answers:
            if each.asked != "garbled" and not task.keeps(each.text):
                yield Verified(each.text, _broken_words(task, each.text), score=each.score)
        yield from edited

    return _distinct(found())


def _off_topic(task: Task, stranger: Sequence[Answer], rng: random.Random) -> Iterator[Verified]:
    """An answer of another request that keeps all constraints, if one can be made."""
    for each in stranger:
        if each.asked != "garbled" and (text := task.repaired(each.text, rng)) is not None:
            yield Verified(text, OFF_TOPIC)
            return


def _broken_words(task: Task, text: str) -> str:
    return next(constraint.words for constraint in task.constraints if not constraint.keeps(text))
