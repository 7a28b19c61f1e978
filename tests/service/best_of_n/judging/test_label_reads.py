"""Choice reads over a fake engine."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from selfjudge_service.best_of_n.judging.label_reads import JUDGE_PRIORITY, ChoicePrompt, Continuation, EngineReader
from vllm import SamplingParams
from vllm.logprobs import Logprob
from vllm.lora.request import LoRARequest
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.sampling_params import RequestOutputKind

from tests.service.fakes import ADAPTER, as_engine

A, B = 65, 66


@dataclass
class Asked:
    """One call of the engine."""

    prompt: list[int]
    params: SamplingParams
    request_id: str
    lora: LoRARequest | None
    priority: int
    cache_salt: str | None


@dataclass
class FakeEngine:
    """As much of vLLM's engine client as reading needs: P(A) grows with the prompt's first token."""

    policy: str = "priority"
    silent: bool = False
    logprobs: bool = True
    asked: list[Asked] = field(default_factory=list)
    running: int = 0
    fails_on: int | None = None

    @property
    def vllm_config(self) -> SimpleNamespace:
        return SimpleNamespace(scheduler_config=SimpleNamespace(policy=self.policy))

    async def generate(
        self,
        prompt: Mapping[str, Any],
        sampling_params: SamplingParams,
        request_id: str,
        *,
        lora_request: LoRARequest | None = None,
        priority: int = 0,
    ) -> AsyncGenerator[RequestOutput, None]:
        ids = prompt["prompt_token_ids"]
        self.asked.append(Asked(ids, sampling_params, request_id, lora_request, priority, prompt.get("cache_salt")))
        self.running += 1
        try:
            # A longer prompt takes longer, so that answers arrive out of order.
            for _ in range(ids[0]):
                await asyncio.sleep(0)
            if self.fails_on == ids[0]:
                raise ConnectionError("engine")
            if self.fails_on is not None:
                await asyncio.Event().wait()
            if not self.silent:
                yield self._output(request_id, ids)
        finally:
            self.running -= 1

    def _output(self, request_id: str, ids: list[int]) -> RequestOutput:
        at_choice = {A: Logprob(-ids[0] / 10), B: Logprob(-5.0), 7: Logprob(-0.1)} if self.logprobs else None
        completion = CompletionOutput(0, "text", [1, 2, 3], None, [at_choice] if at_choice else None)
        return RequestOutput(request_id, None, ids, None, [completion], finished=True, num_cached_tokens=len(ids) - 1)


def prompt(first: int) -> ChoicePrompt:
    return ChoicePrompt([first, 1, 2], A, B)


async def test_reads_come_back_in_order_with_their_cost() -> None:
    reads = await EngineReader(as_engine(FakeEngine())).read([prompt(9), prompt(3), prompt(6)], None)
    assert [read.reading.logprob_a for read in reads] == [-0.9, -0.3, -0.6]
    assert {read.reading.logprob_b for read in reads} == {-5.0}
    assert [(read.prompt_tokens, read.cached_tokens) for read in reads] == [(3, 2)] * 3


async def test_a_salted_prompt_shares_its_prefix_with_nobody_elses() -> None:
    engine = FakeEngine()
    await EngineReader(as_engine(engine)).read([prompt(1)._replace(cache_salt="pepper"), prompt(2)], None)
    assert [asked.cache_salt for asked in engine.asked] == ["pepper", None]


async def test_a_read_is_a_prefill_and_a_gather() -> None:
    engine = FakeEngine()
    await EngineReader(as_engine(engine)).read([prompt(1), prompt(2)], ADAPTER)
    for asked in engine.asked:
        assert (asked.params.max_tokens, asked.params.temperature, asked.params.logprobs) == (1, 0, None)
        assert asked.params.logprob_token_ids == [A, B]
        assert asked.params.output_kind == RequestOutputKind.FINAL_ONLY
        assert asked.lora == ADAPTER
    assert len({asked.request_id for asked in engine.asked}) == 2


@pytest.mark.parametrize(("policy", "priorities"), [("priority", [JUDGE_PRIORITY, 0]), ("fcfs", [0, 0])])
async def test_a_read_goes_ahead_where_it_is_to_and_the_engine_can(policy: str, priorities: list[int]) -> None:
    engine = FakeEngine(policy=policy)
    await EngineReader(as_engine(engine)).read([prompt(1)._replace(priority=JUDGE_PRIORITY), prompt(2)], None)
    assert [asked.priority for asked in engine.asked] == priorities


async def test_a_continuation_is_greedy_and_waits_like_a_sample() -> None:
    engine = FakeEngine()
    text = await EngineReader(as_engine(engine)).continue_text([4, 5], ADAPTER, 12, ["stop"])
    asked = engine.asked[0]
    assert text == Continuation("text", 3)
    assert (asked.prompt, asked.lora, asked.priority) == ([4, 5], ADAPTER, 0)
    assert (asked.params.max_tokens, asked.params.temperature, asked.params.stop) == (12, 0, ["stop"])


async def test_one_failure_comes_out_alone_and_ends_the_other_reads() -> None:
    engine = FakeEngine(fails_on=4)
    with pytest.raises(ConnectionError):
        await EngineReader(as_engine(engine)).read([prompt(1), prompt(4), prompt(2)], None)
    assert engine.running == 0


async def test_an_engine_that_says_nothing_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="without an answer"):
        await EngineReader(as_engine(FakeEngine(silent=True))).read([prompt(1)], None)


async def test_an_answer_without_logprobs_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="no log-probabilities"):
        await EngineReader(as_engine(FakeEngine(logprobs=False))).read([prompt(1)], None)
