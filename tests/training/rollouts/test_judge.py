"""Verdicts are made of both orders and of every principle, in the order of the comparisons."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import Sample, Sampling
from selfjudge_training.rollouts.judge import Judge

from selfjudge import Chat, ChoiceTokens, Comparison, JudgmentEncoder, Reading, load_templates


class LikesZz:
    """Prefers the response that says "zz", whatever its place, and leans to place A."""

    def __init__(self, chat: Chat) -> None:
        self.chat, self.context = chat, 1024

    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Sample]]:
        return [[Sample("", [], finished=True)] * samples for _ in conversations]

    def read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[Reading]:
        return [self._reading(str(self.chat.tokens.source.decode(prompt))) for prompt in prompts]

    def use_adapter(self, path: Path | None) -> None:
        pass

    @staticmethod
    def _reading(prompt: str) -> Reading:
        before_b, _, behind = prompt.rpartition("Response B:")
        lean = 0.5 + 2.0 * ("zz" in before_b) - 2.0 * ("zz" in behind)
        return Reading(-5.0 + lean, -5.0)


@pytest.fixture
def comparisons() -> list[Comparison]:
    return [Comparison("Say it", "abc zz", "abc"), Comparison("Say it", "abc", "abc zz"), Comparison("Say", "a", "b")]


def test_both_orders_decide(chat: Chat, encoder: JudgmentEncoder, comparisons: list[Comparison]) -> None:
    verdicts = Judge(LikesZz(chat), [encoder]).verdicts(comparisons)
    assert [verdict.winner for verdict in verdicts] == ["A", "B", "tie"]
    assert [verdict.consistent for verdict in verdicts] == [True, True, False]
    assert verdicts[0].orders.first_at_a > verdicts[0].orders.first_at_b


def test_each_principle_is_asked(chat: Chat, comparisons: list[Comparison]) -> None:
    template = load_templates()["ultrafeedback-principle"]
    encoders = [JudgmentEncoder(chat, template, principle, max_tokens=1023) for principle in template.principles or ()]
    verdicts = Judge(LikesZz(chat), encoders).verdicts(comparisons)
    asked = [principle.principle for principle in verdicts[0].principles]
    assert asked == list(template.principles or ())
    assert [verdict.winner for verdict in verdicts] == ["A", "B", "tie"]


def test_a_judge_needs_an_encoder(chat: Chat) -> None:
    with pytest.raises(ValueError, match="at least one encoder"):
        Judge(LikesZz(chat), [])
