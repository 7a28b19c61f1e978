"""Choice reads over a fake engine."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from math import nan
from types import SimpleNamespace
from typing import Any

import pytest
from selfjudge_service.best_of_n.judging.label_reads import (
    JUDGE_PRIORITY,
    ChoicePrompt,
    EngineReader,
    Rationale,
    Read,
)
from vllm import SamplingParams
from vllm.logprobs import Logprob
from vllm.lora.request import LoRARequest
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.sampling_params import RequestOutputKind

from selfjudge import ReadingError
from tests.service.fakes import ADAPTER, as_engine, settle

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
    logprob_b: float = -5.0
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
        trace_headers: Mapping[str, str] | None = None,
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
            yield self._output(request_id, ids)
        finally:
            self.running -= 1

    def _output(self, request_id: str, ids: list[int]) -> RequestOutput:
        at_choice = {A: Logprob(-ids[0] / 10), B: Logprob(self.logprob_b), 7: Logprob(-0.1)}
        completion = CompletionOutput(0, " text \n", [1, 2, 3], None, [at_choice])
        return RequestOutput(request_id, None, ids, None, [completion], finished=True, num_cached_tokens=len(ids) - 1)


async def read(
    engine: FakeEngine,
    *firsts: int,
    lora: LoRARequest | None = None,
    cache_salt: str | None = None,
    priority: int = JUDGE_PRIORITY,
) -> list[Read]:
    prompts = [ChoicePrompt([first, 1, 2], A, B) for first in firsts]
    return await EngineReader(as_engine(engine)).read(prompts, lora, cache_salt=cache_salt, priority=priority)


async def test_reads_come_back_in_order_with_their_cost() -> None:
    reads = await read(FakeEngine(), 9, 3, 6)
    assert [read.reading.logprob_a for read in reads] == [-0.9, -0.3, -0.6]
    assert {read.reading.logprob_b for read in reads} == {-5.0}
    assert [(read.prompt_tokens, read.cached_tokens) for read in reads] == [(3, 2)] * 3


async def test_a_read_is_a_prefill_and_a_gather() -> None:
    engine = FakeEngine()
    await read(engine, 1, 2, lora=ADAPTER, cache_salt="pepper")
    for asked in engine.asked:
        assert (asked.params.max_tokens, asked.params.temperature, asked.params.logprobs) == (1, 0, None)
        assert asked.params.logprob_token_ids == [A, B]
        assert asked.params.output_kind == RequestOutputKind.FINAL_ONLY
        assert (asked.lora, asked.cache_salt) == (ADAPTER, "pepper")
    assert len({asked.request_id for asked in engine.asked}) == 2


@pytest.mark.parametrize(("policy", "priority"), [("priority", JUDGE_PRIORITY), ("fcfs", 0)])
async def test_a_read_goes_ahead_where_the_engine_can(policy: str, priority: int) -> None:
    engine = FakeEngine(policy=policy)
    await read(engine, 1, 2, priority=JUDGE_PRIORITY)
    assert [asked.priority for asked in engine.asked] == [priority, priority]


async def test_a_continuation_is_greedy_and_waits_like_a_sample() -> None:
    engine = FakeEngine()
    text = await EngineReader(as_engine(engine)).rationale([4, 5], ADAPTER, 12, ["stop"])
    asked = engine.asked[0]
    assert text == Rationale("text", 3)
    assert (asked.prompt, asked.lora, asked.priority) == ([4, 5], ADAPTER, 0)
    assert (asked.params.max_tokens, asked.params.temperature, asked.params.stop) == (12, 0, ["stop"])


async def test_one_failure_comes_out_alone_and_ends_the_other_reads() -> None:
    engine = FakeEngine(fails_on=4)
    with pytest.raises(ConnectionError):
        await read(engine, 1, 4, 2)
    await settle()
    assert engine.running == 0


async def test_a_caller_that_is_cancelled_ends_its_reads() -> None:
    engine = FakeEngine(fails_on=0)
    reading = asyncio.create_task(read(engine, 1, 2))
    await settle()
    assert engine.running == 2
    reading.cancel()
    await settle()
    assert (reading.cancelled(), engine.running) == (True, 0)


async def test_log_probabilities_that_are_nan_are_an_error() -> None:
    with pytest.raises(ReadingError):
        await read(FakeEngine(logprob_b=nan), 1, 2)
