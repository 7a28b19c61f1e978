"""The bound: what the bare engine needs for the same sampling and the same judge reads.

No HTTP, no rendering, no bracket: each tournament's prompts are recorded in a pass that is not timed, and then replayed
in ideal batches: all samples of a tournament as one engine request, then each round's judge prompts together, both
orders. Tournaments of several clients run at once. The engine has the options of `selfjudge-serve`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import uuid4

from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.generate.label_reads import LabelRead, next_token_label_reads
from vllm.inputs.engine import tokens_input
from vllm.outputs import RequestOutput
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM

from loadtests.benchmark.bracket import Pair, play
from loadtests.benchmark.contenders import Outcome
from loadtests.workload import Job, Sampling
from selfjudge import (
    Chat,
    Comparison,
    JudgmentEncoder,
    PrincipleVerdict,
    Reading,
    SafeTokenizer,
    Verdict,
    load_templates,
)

if TYPE_CHECKING:
    from argparse import Namespace

    from transformers import PreTrainedTokenizerBase

_TEMPLATE = "ultrafeedback"
_JUDGE_PRIORITY = -1


@asynccontextmanager
async def running_engine(options: "Namespace") -> AsyncIterator[AsyncLLM]:
    """An engine without a server, by a server's options."""
    engine = AsyncLLM.from_engine_args(AsyncEngineArgs.from_cli_args(options))
    try:
        yield engine
    finally:
        engine.shutdown()


def judgment_encoder(engine: AsyncLLM) -> JudgmentEncoder:
    """Encodes as the server does by default, for the model that the engine has loaded."""
    chat = Chat(SafeTokenizer(_tokenizer(engine)))
    return JudgmentEncoder(chat, load_templates()[_TEMPLATE], max_tokens=engine.model_config.max_model_len - 1)


class Script(NamedTuple):
    """The recorded prompts of one tournament, its judge prompts round by round, both orders of each match in turn."""

    prompt: list[int]
    rounds: list[list[list[int]]]
    winner: int


class BareEngine:
    """Samples and reads, in batches, from token ids."""

    def __init__(self, engine: AsyncLLM, sampling: Sampling, choice_tokens: tuple[int, int]) -> None:
        self._engine = engine
        self._sampling = sampling
        self._label = SamplingParams(
            max_tokens=1,
            temperature=0,
            logprob_token_ids=list(choice_tokens),
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    async def sample(self, prompt: list[int], n: int, seed: int) -> RequestOutput:
        """All samples by one request."""
        params = SamplingParams(
            n=n, seed=seed, output_kind=RequestOutputKind.FINAL_ONLY, top_k=0, **self._sampling._asdict()
        )
        outputs = self._engine.generate(tokens_input(prompt), params, uuid4().hex)
        return [output async for output in outputs][-1]

    async def read(self, prompts: Sequence[list[int]]) -> list[LabelRead]:
        """The choice tokens' log-probabilities after each prompt."""
        inputs = [tokens_input(prompt) for prompt in prompts]
        params = [self._label] * len(inputs)
        return await next_token_label_reads(self._engine, inputs, params, uuid4().hex, priority=_JUDGE_PRIORITY)

    async def forget(self) -> None:
        """Empties the prefix cache."""
        # The last request's blocks are freed a moment after its answer.
        while not await self._engine.reset_prefix_cache():  # noqa: ASYNC110  vLLM sets no event
            await asyncio.sleep(0.01)


class Recorder:
    """Holds tournaments on the bare engine and keeps their prompts. Its times count encoding, so they are not used."""

    name = "recorder"

    def __init__(self, engine: AsyncLLM, sampling: Sampling, encoder: JudgmentEncoder) -> None:
        self._tokenizer = _tokenizer(engine)
        self._encoder = encoder
        self.bare = BareEngine(engine, sampling, encoder.choice_tokens)
        self.forget = self.bare.forget
        self.scripts: dict[tuple[Job, int], Script] = {}

    async def hold(self, job: Job, best_of_n: int) -> Outcome:
        """Holds one tournament and records it."""
        started = time.perf_counter()
        messages: Any = job.messages
        prompt = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        sampled = await self.bare.sample(cast("list[int]", prompt), best_of_n, job.seed)
        rounds: list[list[list[int]]] = []
        reads: list[LabelRead] = []

        async def judge_round(pairs: list[Pair]) -> list[Verdict]:
            encoded = self._encoder.encode_batch([Comparison(job.messages, *pair) for pair in pairs])
            rounds.append([ids for both in encoded for ids in (both.first_at_a, both.first_at_b)])
            found = await self.bare.read(rounds[-1])
            reads.extend(found)
            readings = [Reading(*read.logprobs) for read in found]
            return [
                Verdict.of([PrincipleVerdict(None, at_a, at_b)])
                for at_a, at_b in zip(readings[::2], readings[1::2], strict=True)
            ]

        texts = [completion.text for completion in sampled.outputs]
        winner = await play(texts, job.seed, judge_round, thrifty=True)
        self.scripts[job, best_of_n] = Script(cast("list[int]", prompt), rounds, winner)
        return _outcome(started, winner, sampled, reads)


class Bound:
    """Replays recorded tournaments; with `judging` off, only their samples, to tell what judging costs."""

    def __init__(self, recorder: Recorder, *, judging: bool = True) -> None:
        self.name = "bound" if judging else "sampling"
        self._judging = judging
        self._bare = recorder.bare
        self._scripts = recorder.scripts
        self.forget = self._bare.forget

    async def hold(self, job: Job, best_of_n: int) -> Outcome:
        """Replays one tournament."""
        script = self._scripts[job, best_of_n]
        started = time.perf_counter()
        sampled = await self._bare.sample(script.prompt, best_of_n, job.seed)
        reads: list[LabelRead] = []
        for prompts in script.rounds if self._judging else ():
            reads.extend(await self._bare.read(prompts))
        return _outcome(started, script.winner, sampled, reads)


def _outcome(started: float, winner: int, sampled: RequestOutput, reads: Sequence[LabelRead]) -> Outcome:
    return Outcome(
        seconds=time.perf_counter() - started,
        winner=winner,
        sampled_tokens=sum(len(completion.token_ids) for completion in sampled.outputs),
        judgments=len(reads) // 2,
        judge_tokens=sum(len(read.result.prompt_token_ids or ()) for read in reads),
        cached_tokens=sum(read.result.num_cached_tokens or 0 for read in reads),
    )


def _tokenizer(engine: AsyncLLM) -> "PreTrainedTokenizerBase":
    return cast("PreTrainedTokenizerBase", engine.renderer.tokenizer)
