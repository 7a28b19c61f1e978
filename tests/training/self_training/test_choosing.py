"""Of any number of samples the best and the worst by score make the pair; why others are skipped is counted."""

import math
from collections.abc import Sequence

import pytest
from selfjudge_training.rollouts.base import RollOuts, Sampling
from selfjudge_training.rollouts.scores import Scorer
from selfjudge_training.self_training.choosing import BestAndWorst
from selfjudge_training.self_training.loop import figures_of
from selfjudge_training.self_training.losses import Pair
from selfjudge_training.self_training.pairs import OnPolicy
from selfjudge_training.self_training.prompts import Prompt
from transformers import PreTrainedTokenizerBase
from typing_extensions import override

from selfjudge import Chat, ChoiceTokens, SafeTokenizer
from tests.training.self_training.conftest import SCORE

SCORES = {"good": 0.9, "fair": 0.55, "even": 0.5, "also": 0.5, "bad": 0.2}
SCRIPT = {
    "first": ["fair", "good", "bad", "even"],
    "equal": ["good", "good", "good", "good"],
    "tied": ["even", "also", "even", "also"],
    "near": ["even", "fair", "even", "even"],
}


class ScoringRollOuts(RollOuts):
    """Answers with the script's responses, and scores them by what they say."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__(tokenizer, 1024)
        self.asked: list[str] = []
        self.judged: list[str] = []

    def _text(self, prompt: list[int]) -> str:
        return str(self.chat.tokens.source.decode(prompt))

    @override
    def _generate(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling, seed: int) -> list[list[int]]:
        self.asked += map(self._text, prompts)
        named = [next(name for name in SCRIPT if name in text) for text in self.asked]
        return [[*self.chat.tokens.encode(text), self.ends[0]] for name in named for text in SCRIPT[name][:samples]]

    @override
    def _read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[list[float]]:
        texts = [self._text(prompt) for prompt in prompts]
        self.judged += texts
        scores = [next(score for response, score in SCORES.items() if response in text) for text in texts]
        return [[math.log(score), math.log(1 - score)] for score in scores]


def chosen(
    tokenizer: PreTrainedTokenizerBase, names: Sequence[str], least_margin: float = 0.0, samples: int = 4
) -> tuple[list[Pair], ScoringRollOuts]:
    rollouts = ScoringRollOuts(tokenizer)
    asked = [[{"role": "system", "content": "Be right."}, {"role": "user", "content": name}] for name in names]
    prompts = [Prompt(one[1:], one, [5, 6]) for one in asked]
    choose = BestAndWorst(Scorer(rollouts, SCORE), least_margin)
    return OnPolicy(rollouts, choose, prompts, Sampling(), samples).judged(range(len(names)), seed=0), rollouts


@pytest.mark.parametrize(("samples", "worst", "mean"), [(2, "fair", 0.725), (4, "bad", 0.5375)])
def test_the_best_and_the_worst_sample_make_the_pair(
    tokenizer: PreTrainedTokenizerBase, samples: int, worst: str, mean: float
) -> None:
    [pair], _ = chosen(tokenizer, ["first"], samples=samples)
    tokens = Chat(SafeTokenizer(tokenizer)).tokens
    assert not pair.skipped
    assert pair.prompt == [5, 6]
    assert pair.chosen == [*tokens.encode("good"), tokenizer.eos_token_id]
    assert pair.rejected == [*tokens.encode(worst), tokenizer.eos_token_id]
    assert pair.consistent is None
    assert pair.score == pytest.approx(mean)


def test_equal_samples_are_skipped_and_scored_once(tokenizer: PreTrainedTokenizerBase) -> None:
    [pair], rollouts = chosen(tokenizer, ["equal"])
    assert (pair.equal, pair.tie, pair.skipped) == (True, False, True)
    assert pair.score == pytest.approx(0.9)
    assert len(rollouts.judged) == 1


def test_different_samples_of_one_score_tie(tokenizer: PreTrainedTokenizerBase) -> None:
    [pair], rollouts = chosen(tokenizer, ["tied"])
    assert (pair.equal, pair.tie, pair.skipped) == (False, True, True)
    assert pair.chosen != pair.rejected
    assert len(rollouts.judged) == 2


def test_scores_that_differ_by_less_than_the_margin_are_skipped(tokenizer: PreTrainedTokenizerBase) -> None:
    [kept], _ = chosen(tokenizer, ["near"], least_margin=0.04)
    [close], _ = chosen(tokenizer, ["near"], least_margin=0.06)
    assert not kept.skipped
    assert (close.close, close.tie, close.skipped) == (True, False, True)


def test_figures_are_of_all_samples(tokenizer: PreTrainedTokenizerBase) -> None:
    pairs, rollouts = chosen(tokenizer, list(SCRIPT), least_margin=0.06)
    figures = figures_of(pairs)
    assert figures["pairs"] == 1
    assert figures["skipped/equal"] == figures["skipped/tie"] == figures["skipped/close"] == pytest.approx(0.25)
    said = [response for responses in SCRIPT.values() for response in responses]
    assert figures["judge/score"] == pytest.approx(sum(SCORES[response] for response in said) / len(said))
    lengths = [len(rollouts.chat.tokens.encode(response)) + 1 for response in said]
    assert figures["sampled/tokens"] == pytest.approx(sum(lengths) / len(lengths))
    assert "judge/position_consistency" not in figures


def test_the_judge_sees_the_conversation_that_was_answered(tokenizer: PreTrainedTokenizerBase) -> None:
    _, rollouts = chosen(tokenizer, ["first"])
    assert len(rollouts.judged) == 4
    assert all(text.startswith(rollouts.asked[0]) and SCORE.question in text for text in rollouts.judged)
