"""All back ends see the same probabilities on one model, to 1e-4: what they sample, and what they read of the judge."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import RollOuts, Sampling, encode_prompts
from selfjudge_training.rollouts.engine import EngineRollOuts, _parameters
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.rollouts.scores import Scorer
from selfjudge_training.rollouts.server import ServerRollOuts

from selfjudge import InPlaceTemplate, JudgmentEncoder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # an engine and a server start

GREEDY = Sampling(temperature=0, max_new_tokens=12)
PLAIN = Sampling(temperature=1.0, top_p=0.9, max_new_tokens=12)


@pytest.fixture(params=["engine", "server"])
def other(request: pytest.FixtureRequest, make_adapter: Callable[[int], Path]) -> EngineRollOuts | ServerRollOuts:
    """A back end that is handed the adapter of `policy`."""
    rollouts: EngineRollOuts | ServerRollOuts = request.getfixturevalue(request.param)
    rollouts.use_adapter(make_adapter(1))
    return rollouts


def greedy(rollouts: RollOuts, conversations: list[Messages]) -> list[list[int]]:
    groups = rollouts.sample(conversations, samples=1, sampling=GREEDY, seed=0)
    return [group[0].token_ids for group in groups]


def test_judge_probabilities_agree(
    other: RollOuts, hugging_face: HuggingFaceRollOuts, encoder: JudgmentEncoder, judge_prompts: list[list[int]]
) -> None:
    ours, theirs = (each.read(judge_prompts, encoder.choice_tokens) for each in (other, hugging_face))
    for one, another in zip(ours, theirs, strict=True):
        assert one.preference == pytest.approx(another.preference, abs=1e-4)
        assert one.label_mass == pytest.approx(another.label_mass, abs=1e-4)
        assert [one.logprob_a, one.logprob_b] == pytest.approx([another.logprob_a, another.logprob_b], abs=1e-4)


def test_scores_of_samples_agree(
    other: RollOuts, hugging_face: HuggingFaceRollOuts, in_place: InPlaceTemplate, conversations: list[Messages]
) -> None:
    sampled = other.sample(conversations, samples=3, sampling=PLAIN, seed=0)
    ours, theirs = (Scorer(each, in_place).scores(conversations, sampled) for each in (other, hugging_face))
    assert len({round(score, 3) for of_one in ours for score in of_one}) > len(conversations)
    for one, another in zip(ours, theirs, strict=True):
        assert one == pytest.approx(another, abs=1e-4)


def test_samples_and_their_log_probabilities_agree(
    other: EngineRollOuts | ServerRollOuts,
    hugging_face: HuggingFaceRollOuts,
    policy: PeftModel,
    conversations: list[Messages],
) -> None:
    generated = greedy(other, conversations)
    assert generated == greedy(hugging_face, conversations)
    prompts = encode_prompts(other.chat, conversations)
    policy.eval()
    for prompt, ids, found in zip(prompts, generated, greedy_log_probabilities(other, prompts), strict=True):
        with torch.no_grad():
            logits = policy(input_ids=torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        expected = logits.log_softmax(-1)[range(len(ids)), ids].tolist()
        assert found == pytest.approx(expected, abs=1e-4)


def greedy_log_probabilities(other: EngineRollOuts | ServerRollOuts, prompts: list[list[int]]) -> list[list[float]]:
    """Of each generated token, as the back end's own engine says it."""
    options = {"max_tokens": GREEDY.max_new_tokens, "temperature": 0, "logprobs": 0, "stop_token_ids": other.ends}
    if isinstance(other, ServerRollOuts):
        bodies = [{**options, "model": other._sampled, "prompt": prompt} for prompt in prompts]
        answers = other._endpoint.post_all("completions", bodies)
        return [answer["choices"][0]["logprobs"]["token_logprobs"] for answer in answers]
    outputs = other._run(prompts, [_parameters(**options)] * len(prompts), other._adapter)
    return [
        [(at or {})[token].logprob for at, token in zip(one.logprobs or [], one.token_ids, strict=True)]
        for [one] in outputs
    ]


def test_engine_and_server_draw_the_same_samples(
    engine: EngineRollOuts,
    server: ServerRollOuts,
    make_adapter: Callable[[int], Path],
    conversations: list[Messages],
) -> None:
    for rollouts in (engine, server):
        rollouts.use_adapter(make_adapter(1))
    ours, theirs, others = (
        rollouts.sample(conversations, samples=2, sampling=PLAIN, seed=seed)
        for rollouts, seed in ((engine, 3), (server, 3), (server, 4))
    )
    assert ours == theirs != others
    assert any(one.text != two.text for one, two in ours)


def test_a_server_samples_with_the_newest_adapter_and_judges_with_none(
    server: ServerRollOuts,
    make_adapter: Callable[[int], Path],
    conversations: list[Messages],
    encoder: JudgmentEncoder,
    judge_prompts: list[list[int]],
) -> None:
    judged = server.read(judge_prompts, encoder.choice_tokens)
    found = []
    for seed in (1, 2, 1):
        server.use_adapter(make_adapter(seed))
        found.append(greedy(server, conversations))
        readings = server.read(judge_prompts, encoder.choice_tokens)
        assert [one.preference for one in readings] == pytest.approx([one.preference for one in judged], abs=1e-6)
    assert found[0] == found[2] != found[1]
