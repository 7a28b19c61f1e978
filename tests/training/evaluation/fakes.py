"""Judges and policies that do as they are told: whole implementations of the interfaces, without a model."""

from collections.abc import Callable, Sequence

import httpx2
from selfjudge_training.data.records import Messages
from selfjudge_training.evaluation.judges import Judgment
from selfjudge_training.evaluation.policies import UNASKED, Answer, Answers
from selfjudge_training.rollouts.base import Sampling
from selfjudge_training.run.endpoint import Endpoint

from selfjudge import Comparison, Orders, Winner


def judgment(at_a: float, at_b: float) -> Judgment:
    """From P(the first response is better) in each order."""
    mean = (at_a + at_b) / 2
    winner: Winner = "A" if mean > 0.5 else "B" if mean < 0.5 else "tie"
    return Judgment(winner, mean, Orders(at_a, at_b), (at_a > 0.5) == (at_b > 0.5), label_mass=0.9)


class Preferring:
    """A judge that prefers what has the higher value; it keeps what it was asked."""

    def __init__(self, value: Callable[[str], float]) -> None:
        self._value = value
        self.asked: list[Comparison] = []
        self.principles: list[str | None] = []

    def __call__(self, comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:
        self.principles.append(principle)
        self.asked += comparisons
        return [self._judge(self._value(one.first) - self._value(one.second)) for one in comparisons]

    def _judge(self, lead: float) -> Judgment:
        probability = 0.9 if lead > 0 else 0.1 if lead < 0 else 0.5
        return judgment(probability, probability)


class Counting:
    """A policy whose samples to a conversation are 0, 1, 2, ... behind the last thing said to it."""

    def __init__(self, context: int = 1000) -> None:
        self.asked: list[Messages] = []
        self._context = context
        """In characters."""

    def __call__(self, conversations: Sequence[Messages], samples: int, sampling: Sampling, seed: int) -> Answers:
        return [self._answers(conversation, samples, sampling.max_new_tokens) for conversation in conversations]

    def _answers(self, conversation: Messages, samples: int, new_tokens: int) -> list[Answer]:
        if sum(len(turn["content"]) for turn in conversation) + new_tokens > self._context:
            return [UNASKED] * samples
        self.asked.append(list(conversation))
        return [Answer(f"{conversation[-1]['content']} {number}", finished=number > 0) for number in range(samples)]


def endpoint(answer: Callable[[httpx2.Request], httpx2.Response]) -> Endpoint:
    """An endpoint that asks a function instead of the network."""
    return Endpoint("http://judge.test/v1", transport=httpx2.MockTransport(answer))
