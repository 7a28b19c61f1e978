"""Reads choice tokens off the engine, by vLLM's label reads: the one place where judging meets vLLM.

A read is a prefill and one token; its log-probabilities are raw and over the full vocabulary, however improbable the
choice tokens are. What is being judged is not known here.
"""

from collections.abc import Sequence
from typing import NamedTuple

from vllm import SamplingParams
from vllm.engine.protocol import EngineClient
from vllm.entrypoints.generate.label_reads import next_token_label_reads
from vllm.inputs.engine import tokens_input
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind
from vllm.utils.async_utils import collect_from_async_generator

from selfjudge import Reading
from selfjudge_service.observability.request_context import engine_id

# The lowest number there is, which goes first. In a tournament, a judge read frees a waiting match, and a sample merely
# starts one. Other judge reads have the priority of samples.
JUDGE_PRIORITY = -(2**63)


LABEL_TOKENS = 1
"""The prompt's last token yields the label, and that one needs a place in the context too."""


class ChoicePrompt(NamedTuple):
    """A prompt that ends right before the choice token, and the ids of `A` and `B`, or other two labels, there."""

    token_ids: Sequence[int]
    token_a: int
    token_b: int

    @property
    def params(self) -> SamplingParams:
        """Those of its read."""
        return SamplingParams(
            max_tokens=1,
            temperature=0,
            logprob_token_ids=[self.token_a, self.token_b],
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )


class Read(NamedTuple):
    """A reading and what it cost, in prompt tokens."""

    reading: Reading
    prompt_tokens: int
    cached_tokens: int


class Rationale(NamedTuple):
    """Generated text and its length in tokens."""

    text: str
    tokens: int


class EngineReader:
    """Reads P(A) and P(B) after prompts, with the weights of one adapter or, where `lora` is None, of the base."""

    def __init__(self, engine: EngineClient) -> None:
        self._engine = engine
        self._by_priority = engine.vllm_config.scheduler_config.policy == "priority"

    async def read(
        self, prompts: Sequence[ChoicePrompt], lora: LoRARequest | None, *, cache_salt: str | None, priority: int
    ) -> list[Read]:
        """Reads all prompts in one batch; results in the same order.

        Args:
            prompts: of one comparison.
            lora: the adapter that judges.
            cache_salt: prefixes are shared only with prompts of the same.
            priority: lower goes first, where the engine schedules by priority.

        Raises:
            ReadingError: if a log-probability is NaN.
        """
        reads = await next_token_label_reads(
            self._engine,
            # Not `TokensPrompt`s: the engine takes these for raw text and sends them through a thread.
            [tokens_input(list(prompt.token_ids), cache_salt=cache_salt) for prompt in prompts],
            [prompt.params for prompt in prompts],
            f"judge-{engine_id()}",
            lora_request=lora,
            priority=priority if self._by_priority else 0,
        )
        return [
            Read(Reading(*read.logprobs), len(prompt.token_ids), read.result.num_cached_tokens or 0)
            for prompt, read in zip(prompts, reads, strict=True)
        ]

    async def rationale(
        self, token_ids: Sequence[int], lora: LoRARequest | None, max_tokens: int, stop: Sequence[str]
    ) -> Rationale:
        """Greedy continuation of a prompt, at the priority of samples."""
        params = SamplingParams(
            max_tokens=max_tokens, temperature=0, stop=list(stop), output_kind=RequestOutputKind.FINAL_ONLY
        )
        generation = self._engine.generate(
            tokens_input(list(token_ids)), params, f"judge-{engine_id()}", lora_request=lora
        )
        completion = (await collect_from_async_generator(generation))[-1].outputs[0]
        return Rationale(completion.text.strip(), len(completion.token_ids))
