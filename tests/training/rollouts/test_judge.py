"""Verdicts are made of both orders and of every principle, in the order of the comparisons."""

from collections.abc import Sequence

import pytest
from selfjudge_training.rollouts.base import RollOuts, Sampling
from selfjudge_training.rollouts.judge import Judge
from transformers import PreTrainedTokenizerBase
from typing_extensions import override

from selfjudge import Chat, ChoiceTokens, Comparison, JudgmentEncoder, load_templates


class LikesZz(RollOuts):
    """Prefers the response that says "zz", whatever its place, and leans to place A."""

    @override
    def _generate(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling, seed: int) -> list[list[int]]:
        raise NotImplementedError

    @override
    def _read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[list[float]]:
        return [[-5.0 + self._lean(str(self.chat.tokens.source.decode(prompt))), -5.0] for prompt in prompts]

    @staticmethod
    def _lean(prompt: str) -> float:
        before_b, _, behind = prompt.rpartition("Response B:")
        return 0.5 + 2.0 * ("zz" in before_b) - 2.0 * ("zz" in behind)


@pytest.fixture
def rollouts(tokenizer: PreTrainedTokenizerBase) -> RollOuts:
    return LikesZz(tokenizer, 1024)


@pytest.fixture
def comparisons() -> list[Comparison]:
    return [Comparison("Say it", "abc zz", "abc"), Comparison("Say it", "abc", "abc zz"), Comparison("Say", "a", "b")]


def test_both_orders_decide(rollouts: RollOuts, encoder: JudgmentEncoder, comparisons: list[Comparison]) -> None:
    verdicts = Judge(rollouts, [encoder]).verdicts(comparisons)
    assert [verdict.winner for verdict in verdicts] == ["A", "B", "tie"]
    assert [verdict.consistent for verdict in verdicts] == [True, True, False]
    assert verdicts[0].orders.first_at_a > verdicts[0].orders.first_at_b


def test_each_principle_is_asked(rollouts: RollOuts, chat: Chat, comparisons: list[Comparison]) -> None:
    template = load_templates()["ultrafeedback-principle"]
    encoders = [JudgmentEncoder(chat, template, principle, max_tokens=1023) for principle in template.principles or ()]
    verdicts = Judge(rollouts, encoders).verdicts(comparisons)
    asked = [principle.principle for principle in verdicts[0].principles]
    assert asked == list(template.principles or ())
    assert [verdict.winner for verdict in verdicts] == ["A", "B", "tie"]
