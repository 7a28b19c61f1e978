"""The engine keeps adapters, seeds and requests apart, and leaves its process alone."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import PromptError, RollOuts, Sampling
from selfjudge_training.rollouts.engine import EngineRollOuts, _choice_logprobs, _parameters, served_rank
from selfjudge_training.run.config import ConfigError

from selfjudge import AdapterError, JudgmentEncoder
from tests.training.rollouts.conftest import SHIPPED, load_shipped, randomised

needs_engine = pytest.mark.slow
GREEDY = Sampling(temperature=0, max_new_tokens=12)
PLAIN = Sampling(temperature=1.0, top_p=0.9, max_new_tokens=12)


def greedy(rollouts: RollOuts, conversations: list[Messages]) -> list[list[int]]:
    groups = rollouts.sample(conversations, samples=1, sampling=GREEDY, seed=0)
    return [group[0].token_ids for group in groups]


@needs_engine
def test_adapters_are_exchanged_and_the_judge_has_none(
    engine: EngineRollOuts,
    make_adapter: Callable[[int], Path],
    conversations: list[Messages],
    encoder: JudgmentEncoder,
    judge_prompts: list[list[int]],
) -> None:
    judged = engine.read(judge_prompts, encoder.choice_tokens)
    found = []
    for seed in (1, 2, 1):
        engine.use_adapter(make_adapter(seed))
        found.append(greedy(engine, conversations))
        readings = engine.read(judge_prompts, encoder.choice_tokens)
        assert [one.preference for one in readings] == pytest.approx([one.preference for one in judged], abs=1e-6)
        assert len(engine._engine.list_loras()) == 1
    assert found[0] == found[2] != found[1]


@needs_engine
def test_a_folder_that_was_rewritten_is_a_new_adapter(
    engine: EngineRollOuts, tmp_path: Path, conversations: list[Messages]
) -> None:
    found = []
    for seed in (1, 2):
        randomised(load_shipped(), seed).save_pretrained(str(tmp_path))
        engine.use_adapter(tmp_path)
        found.append(greedy(engine, conversations))
    assert found[0] != found[1]


@needs_engine
def test_requests_with_and_without_adapter_share_a_batch(
    engine: EngineRollOuts,
    make_adapter: Callable[[int], Path],
    encoder: JudgmentEncoder,
    judge_prompts: list[list[int]],
) -> None:
    engine.use_adapter(make_adapter(1))
    how = _parameters(max_tokens=1, temperature=0, logprob_token_ids=list(encoder.choice_tokens))

    from vllm.inputs.engine import tokens_input
    from vllm.outputs import RequestOutput

    def logprobs(adapted: list[bool]) -> list[float]:
        core = engine._engine
        core.reset_prefix_cache()
        for place, (prompt, on) in enumerate(zip(judge_prompts, adapted, strict=True)):
            core.add_request(str(place), tokens_input(prompt), how, lora_request=engine._adapter if on else None)
        found: dict[int, float] = {}
        while core.has_unfinished_requests():
            for one in core.step():
                assert isinstance(one, RequestOutput)
                found[int(one.request_id)] = _choice_logprobs(one.outputs[0], encoder.choice_tokens)[0]
        return [found[place] for place in range(len(judge_prompts))]

    mixed = [bool(place % 2) for place in range(len(judge_prompts))]
    without, with_adapter = logprobs([False] * len(mixed)), logprobs([True] * len(mixed))
    assert without != pytest.approx(with_adapter, abs=1e-2)
    expected = [with_adapter[place] if on else without[place] for place, on in enumerate(mixed)]
    assert logprobs(mixed) == pytest.approx(expected, abs=1e-4)


@needs_engine
def test_seeds_reproduce_whatever_stands_around(engine: EngineRollOuts, conversations: list[Messages]) -> None:
    first, again, other = (engine.sample(conversations, samples=2, sampling=PLAIN, seed=seed) for seed in (3, 3, 4))
    assert first == again != other
    assert any(one.text != two.text for one, two in first)
    assert engine.sample(conversations[:3], samples=2, sampling=PLAIN, seed=3) == first[:3]


@needs_engine
def test_the_nucleus_is_kept_to(engine: EngineRollOuts, conversations: list[Messages]) -> None:
    narrow = engine.sample(conversations, samples=1, sampling=PLAIN._replace(top_p=1e-6), seed=0)
    assert narrow == engine.sample(conversations, samples=1, sampling=GREEDY, seed=0)


@needs_engine
def test_a_bad_adapter_changes_nothing(
    engine: EngineRollOuts, make_adapter: Callable[[int], Path], conversations: list[Messages], tmp_path: Path
) -> None:
    engine.use_adapter(make_adapter(1))
    before = greedy(engine, conversations)
    with pytest.raises(AdapterError, match=r"no adapter_config\.json"):
        engine.use_adapter(tmp_path)
    assert greedy(engine, conversations) == before


@needs_engine
def test_a_prompt_without_room_is_refused(engine: EngineRollOuts, encoder: JudgmentEncoder) -> None:
    with pytest.raises(PromptError, match="prompt 0"):
        engine.sample([[{"role": "user", "content": "abc " * 2000}]], samples=1, sampling=GREEDY, seed=0)
    with pytest.raises(PromptError, match="prompt 0"):
        engine.read([[5] * 1024], encoder.choice_tokens)


@pytest.mark.parametrize(("lora_rank", "served"), [(1, 1), (2, 8), (8, 8), (9, 16), (300, 320), (512, 512)])
def test_the_engine_is_started_for_the_next_higher_rank(lora_rank: int, served: int) -> None:
    assert served_rank(lora_rank) == served


def test_a_rank_that_vllm_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"lora\.rank: 513 is more than the 512"):
        served_rank(513)


def test_without_vllm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm.engine.arg_utils", None)
    with pytest.raises(ConfigError, match=r"requirements/cpu\.txt"):
        EngineRollOuts(SHIPPED, rank=8, max_tokens=64)


@needs_engine
def test_starting_an_engine_leaves_pytorchs_threads_to_us(engine: EngineRollOuts) -> None:
    assert inspect.isbuiltin(torch.set_num_threads)


@needs_engine
def test_on_a_cpu_vllm_takes_its_own_kernels(engine: EngineRollOuts) -> None:
    assert "all" in engine._engine.vllm_config.compilation_config.custom_ops
