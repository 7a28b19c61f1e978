"""Reads choice tokens off the engine: the one place where judging meets vLLM.

A read is a prefill and one token; the two log-probabilities come back as a gather over named ids
(`SamplingParams.logprob_token_ids`), raw and over the full vocabulary, however improbable they are. Nothing here knows
what is being judged.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from vllm import SamplingParams
from vllm.engine.protocol import EngineClient
from vllm.inputs.engine import TokensInput, tokens_input
from vllm.lora.request import LoRARequest
from vllm.outputs import RequestOutput
from vllm.sampling_params import RequestOutputKind

from selfjudge import Reading
from selfjudge_service.observability.request_context import engine_id
from selfjudge_service.tasks import run_together

# In a tournament with samples, a judge read frees a waiting match, and a sample merely starts one. Other judge reads
# are work like any other. Lower goes first, and nobody can go lower than this.
JUDGE_PRIORITY = -(2**63)


class ChoicePrompt(NamedTuple):
    """What to read: a prompt that ends right before the choice token, and the ids of `A` and `B` there.

    Its prefixes are shared only with prompts of the same `cache_salt`; of `priority`, lower goes first.
    """

    token_ids: Sequence[int]
    token_a: int
    token_b: int
    cache_salt: str | None = None
    priority: int = 0


class Read(NamedTuple):
    """A reading and what it cost, in prompt tokens."""

    reading: Reading
    prompt_tokens: int
    cached_tokens: int


class Continuation(NamedTuple):
    """Generated text and its length in tokens."""

    text: str
    tokens: int


class ChoiceReader(Protocol):
    """Reads P(A) and P(B) after prompts, with the weights of one adapter or of the base."""

    async def read(self, prompts: Sequence[ChoicePrompt], lora: LoRARequest | None) -> list[Read]:
        """Reads all prompts together; results in the same order."""
        ...

    async def continue_text(
        self, token_ids: Sequence[int], lora: LoRARequest | None, max_tokens: int, stop: Sequence[str]
    ) -> Continuation:
        """Greedy continuation of a prompt, for rationales."""
        ...


class EngineReader:
    """`ChoiceReader` on vLLM's engine client."""

    def __init__(self, engine: EngineClient) -> None:
        self._engine = engine
        self._by_priority = engine.vllm_config.scheduler_config.policy == "priority"

    async def read(self, prompts: Sequence[ChoicePrompt], lora: LoRARequest | None) -> list[Read]:
        """Reads all prompts in one batch of the engine; results in the same order."""
        return await run_together(self._read_one(prompt, lora) for prompt in prompts)

    async def continue_text(
        self, token_ids: Sequence[int], lora: LoRARequest | None, max_tokens: int, stop: Sequence[str]
    ) -> Continuation:
        """Greedy continuation of a prompt, at the priority of samples."""
        params = SamplingParams(
            max_tokens=max_tokens, temperature=0, stop=list(stop), output_kind=RequestOutputKind.FINAL_ONLY
        )
        output = await self._generate(tokens_input(list(token_ids)), params, lora, priority=0)
        completion = output.outputs[0]
        return Continuation(completion.text, len(completion.token_ids))

    async def _read_one(self, prompt: ChoicePrompt, lora: LoRARequest | None) -> Read:
        params = SamplingParams(
            max_tokens=1,
            temperature=0,
            logprob_token_ids=[prompt.token_a, prompt.token_b],
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        # Not a `TokensPrompt`: the engine takes that for raw text and sends it through a thread.
        tokens = tokens_input(list(prompt.token_ids), cache_salt=prompt.cache_salt)
        output = await self._generate(tokens, params, lora, prompt.priority if self._by_priority else 0)
        logprobs = output.outputs[0].logprobs
        if not logprobs:
            raise RuntimeError("the engine returned no log-probabilities for a judge read")
        at_choice = logprobs[0]
        reading = Reading(at_choice[prompt.token_a].logprob, at_choice[prompt.token_b].logprob)
        return Read(reading, len(prompt.token_ids), output.num_cached_tokens or 0)

    async def _generate(
        self, prompt: TokensInput, params: SamplingParams, lora: LoRARequest | None, priority: int
    ) -> RequestOutput:
        last: RequestOutput | None = None
        async for output in self._engine.generate(
            prompt, params, f"judge-{engine_id()}", lora_request=lora, priority=priority
        ):
            last = output
        if last is None:
            raise RuntimeError("the engine ended a judge read without an answer")
        return last
