"""Samples are scored by their own tokens behind their own prompts, in the order given, the end of a turn once."""

import math
from collections.abc import Sequence

import pytest
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import RollOuts, Sample, Sampling, encode_prompts
from selfjudge_training.rollouts.scores import Scorer
from transformers import PreTrainedTokenizerBase
from typing_extensions import override

from selfjudge import Chat, ChoiceTokens, InPlaceEncoder, InPlaceTemplate, TemplateError, load_in_place_templates


class LikesLength(RollOuts):
    """The longer what it reads, the surer it is of the good label."""

    read_ids: Sequence[list[int]] = ()
    choice: ChoiceTokens | None = None

    @override
    def _generate(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling, seed: int) -> list[list[int]]:
        raise NotImplementedError

    @override
    def _read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[list[float]]:
        self.read_ids, self.choice = prompts, choice
        return [[-10.0 + len(prompt) / 100, -10.0] for prompt in prompts]


@pytest.fixture
def rollouts(tokenizer: PreTrainedTokenizerBase) -> LikesLength:
    return LikesLength(tokenizer, 1024)


def test_scores_are_of_the_sampled_tokens_where_they_stand(
    rollouts: LikesLength, in_place: InPlaceTemplate, chat: Chat, conversations: list[Messages]
) -> None:
    ids, end = [40, 41, 41], rollouts.ends[0]
    finished, cut = Sample("aba", [*ids, end], finished=True), Sample("aba", ids, finished=False)
    longer = Sample("abaaba", [*ids, *ids], finished=False)
    found = Scorer(rollouts, in_place).scores(conversations[:2], [[finished, cut], [longer]])
    encoder, prompts = InPlaceEncoder(chat, in_place), encode_prompts(chat, conversations[:2])
    judged = [prompts[0] + ids, prompts[0] + ids, prompts[1] + ids + ids]
    judged = [each + encoder.tail() for each in judged]
    assert rollouts.read_ids == judged
    assert rollouts.choice == ChoiceTokens(*encoder.labels)
    expected = [1 / (1 + math.exp(-len(each) / 100)) for each in judged]
    assert found == [pytest.approx(expected[:2]), pytest.approx(expected[2:])]


def test_the_room_that_a_judgment_needs_suffices(
    tokenizer: PreTrainedTokenizerBase, in_place: InPlaceTemplate, chat: Chat, conversations: list[Messages]
) -> None:
    [prompt] = encode_prompts(chat, conversations[:1])
    sample = Sample("aaaa", [40] * 4, finished=False)
    needed = len(prompt) + 4 + Scorer(LikesLength(tokenizer, 1024), in_place).tokens
    assert Scorer(LikesLength(tokenizer, needed), in_place).scores(conversations[:1], [[sample]])
    with pytest.raises(ValueError, match="context"):
        Scorer(LikesLength(tokenizer, needed - 1), in_place).scores(conversations[:1], [[sample]])


def test_a_template_that_compares_gives_no_score(rollouts: LikesLength) -> None:
    with pytest.raises(TemplateError, match="'in-place-pair' needs another response"):
        Scorer(rollouts, load_in_place_templates()["in-place-pair"])
