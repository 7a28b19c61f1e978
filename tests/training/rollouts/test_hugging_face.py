"""Sampling with the adapter, judging without it, and nothing of it seen by the trainer that owns the model."""

import pytest
import torch
from peft import PeftModel
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import PromptError, Sampling, encode_prompts
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from transformers import PreTrainedTokenizerBase

from selfjudge import JudgmentEncoder
from tests.training.rollouts.conftest import load_shipped

GREEDY = Sampling(temperature=0, max_new_tokens=12)
PLAIN = Sampling(temperature=1.0, top_p=0.9, max_new_tokens=12)


def alone(policy: PeftModel, prompt: list[int], ends: list[int]) -> list[int]:
    """Greedy decoding of one prompt without padding, cache or `generate`."""
    ids = list(prompt)
    with torch.no_grad():
        while len(ids) < len(prompt) + GREEDY.max_new_tokens and ids[-1] not in ends:
            ids.append(int(policy(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def test_batches_change_nothing(
    hugging_face: HuggingFaceRollOuts, policy: PeftModel, conversations: list[Messages]
) -> None:
    policy.eval()
    groups = hugging_face.sample(conversations, samples=2, sampling=GREEDY, seed=0)
    ends = hugging_face.chat.end_ids()
    expected = [alone(policy, prompt, ends) for prompt in encode_prompts(hugging_face.chat, conversations)]
    assert [[sample.token_ids for sample in group] for group in groups] == [[ids, ids] for ids in expected]
    assert [group[0].finished for group in groups] == [ids[-1] in ends for ids in expected]


def test_a_seed_reproduces_and_another_does_not(
    hugging_face: HuggingFaceRollOuts, conversations: list[Messages]
) -> None:
    first, again, other = (
        hugging_face.sample(conversations, samples=2, sampling=PLAIN, seed=seed) for seed in (3, 3, 4)
    )
    assert first == again != other
    assert any(one.text != two.text for one, two in first)


def test_the_nucleus_is_kept_to(hugging_face: HuggingFaceRollOuts, conversations: list[Messages]) -> None:
    narrow = hugging_face.sample(conversations, samples=1, sampling=PLAIN._replace(top_p=1e-6), seed=0)
    assert narrow == hugging_face.sample(conversations, samples=1, sampling=GREEDY, seed=0)


def test_rows_bound_the_batch_not_the_result(
    policy: PeftModel, tokenizer: PreTrainedTokenizerBase, conversations: list[Messages]
) -> None:
    by_two = HuggingFaceRollOuts(policy, tokenizer, rows=2).sample(conversations, samples=1, sampling=GREEDY, seed=0)
    at_once = HuggingFaceRollOuts(policy, tokenizer).sample(conversations, samples=1, sampling=GREEDY, seed=0)
    assert by_two == at_once


def test_the_judge_has_no_adapter(
    hugging_face: HuggingFaceRollOuts,
    tokenizer: PreTrainedTokenizerBase,
    encoder: JudgmentEncoder,
    judge_prompts: list[list[int]],
) -> None:
    readings = hugging_face.read(judge_prompts, encoder.choice_tokens)
    bare = load_shipped()
    for prompt, reading in zip(judge_prompts, readings, strict=True):
        with torch.no_grad():
            logprobs = bare(input_ids=torch.tensor([prompt])).logits[0, -1].log_softmax(-1)
        expected = logprobs[list(encoder.choice_tokens)].tolist()
        assert [reading.logprob_a, reading.logprob_b] == pytest.approx(expected, abs=1e-4)


def test_the_trainer_sees_nothing_of_it(
    hugging_face: HuggingFaceRollOuts,
    policy: PeftModel,
    conversations: list[Messages],
    encoder: JudgmentEncoder,
    judge_prompts: list[list[int]],
) -> None:
    policy.train()
    base = policy.get_base_model()
    modes = {name: module.training for name, module in policy.named_modules()}
    trained = {name for name, parameter in policy.named_parameters() if parameter.requires_grad}
    settings = base.generation_config
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    hugging_face.sample(conversations, samples=2, sampling=PLAIN, seed=0)
    hugging_face.read(judge_prompts, encoder.choice_tokens)
    assert torch.rand(1) == expected
    assert {name: module.training for name, module in policy.named_modules()} == modes
    assert {name for name, parameter in policy.named_parameters() if parameter.requires_grad} == trained
    assert base.generation_config is settings
    policy(input_ids=torch.tensor(judge_prompts[:1])).logits.sum().backward()
    assert all(parameter.grad is not None for parameter in policy.parameters() if parameter.requires_grad)


def test_what_is_trained_is_sampled_from_at_once(
    hugging_face: HuggingFaceRollOuts, policy: PeftModel, conversations: list[Messages]
) -> None:
    before = hugging_face.sample(conversations, samples=1, sampling=GREEDY, seed=0)
    with torch.no_grad():
        for name, parameter in policy.named_parameters():
            if "lora_B" in name:
                parameter.neg_()
    assert hugging_face.sample(conversations, samples=1, sampling=GREEDY, seed=0) != before


def test_a_prompt_without_room_is_refused(hugging_face: HuggingFaceRollOuts, encoder: JudgmentEncoder) -> None:
    long = [{"role": "user", "content": "abc " * 2000}]
    with pytest.raises(PromptError, match="prompt 0"):
        hugging_face.sample([long], samples=1, sampling=GREEDY, seed=0)
    with pytest.raises(PromptError, match="prompt 0"):
        hugging_face.read([[5] * 1024], encoder.choice_tokens)
