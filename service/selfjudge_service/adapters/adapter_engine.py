"""What the registry of adapters needs of vLLM's engine."""

import asyncio
import math
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import uuid4

from vllm import SamplingParams
from vllm.engine.protocol import EngineClient
from vllm.inputs.engine import tokens_input
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.exceptions import EngineDeadError

from selfjudge import Comparison, SelfJudgeError
from selfjudge.errors import AdapterError
from selfjudge_service.best_of_n.judging.judge import Judge
from selfjudge_service.protocol.requests import JudgingOptions

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM

_PROBED_TOKENS = 8
_LOOK_SECONDS = 0.05
_PROBE = Comparison("Which number is larger, 2 or 7?", "7", "2")
_Result = TypeVar("_Result")


class AdapterEngine:
    """Loads and unloads adapters; each has one name and one id for as long as the engine lives.

    All calls raise EngineDeadError once the engine is dead or abandoned.

    Args:
        engine: vLLM's.
        judge: the server's, for the probe.
    """

    def __init__(self, engine: EngineClient, judge: Judge) -> None:
        self._engine = engine
        self._judge = judge
        self._abandoned = asyncio.Event()

    async def load(self, lora: LoRARequest) -> None:
        """Loads an adapter, so that its first request waits for no file.

        Raises:
            AdapterError: `engine`, if it can't be loaded. Part of it may be in the engine then, until it is unloaded.
        """
        try:
            await self._unless_abandoned(self._engine.add_lora(lora))
        except EngineDeadError:
            raise
        except Exception as error:
            # The path is that of a private copy.
            told = str(error).replace(lora.lora_path, lora.lora_name)
            raise AdapterError("engine", f"the engine can't load it: {told}") from error

    async def probe(self, lora: LoRARequest) -> None:
        """Generates a few tokens and reads one judgment with an adapter that no request uses yet.

        Raises:
            AdapterError: `probe`, if a value isn't finite, or the judge gives its choice tokens no probability at all.
        """
        await self._unless_abandoned(self._probe(lora))

    async def unload(self, lora: LoRARequest) -> None:
        """Frees an adapter's memory once no request uses it; after that, nothing reads its files.

        Leases end with answers, and some work of vLLM's outlives its answer: responses in the background, an aborted
        request's last step. The engine would read the files again for these, and dies if they are gone.
        """
        await self._unless_abandoned(self._unload(lora))

    async def _unload(self, lora: LoRARequest) -> None:
        engine = cast("AsyncLLM", self._engine)
        requests = engine.output_processor.request_states
        # vLLM sets no event.
        while any(state.lora_name == lora.lora_name for state in requests.values()):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)
        await engine.remove_lora(lora.lora_int_id)

    def abandon(self) -> None:
        """Ends every call that is under way, and each that comes: the engine is dead, or hangs."""
        self._abandoned.set()

    async def _unless_abandoned(self, call: Coroutine[Any, Any, _Result]) -> _Result:
        """The call's result; vLLM itself ends nothing but generation where its engine dies or hangs."""
        calling, waiting = asyncio.create_task(call), asyncio.create_task(self._abandoned.wait())
        try:
            await asyncio.wait({calling, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if calling.done():
                return calling.result()
            raise EngineDeadError
        finally:
            calling.cancel()
            waiting.cancel()

    async def _probe(self, lora: LoRARequest) -> None:
        panel = self._judge.panel(JudgingOptions(), lora)
        prompt = panel.encoders[0].encode(*_PROBE).first_at_a
        await self._generate(list(prompt), lora)
        try:
            mass = (await self._judge.compare(panel, _PROBE)).verdict.label_mass
        except SelfJudgeError as error:
            raise AdapterError("probe", f"the probe judgment failed: {error}") from error
        if not mass > 0:
            raise AdapterError("probe", f"the probe judgment gave the choice tokens a probability of {mass}")

    async def _generate(self, prompt: list[int], lora: LoRARequest) -> None:
        params = SamplingParams(
            max_tokens=_PROBED_TOKENS, temperature=0, logprobs=0, output_kind=RequestOutputKind.FINAL_ONLY
        )
        async for output in self._engine.generate(
            tokens_input(prompt), params, f"probe-{uuid4().hex}", lora_request=lora
        ):
            total = output.outputs[0].cumulative_logprob
            if total is None or not math.isfinite(total):
                raise AdapterError("probe", f"the probe generation has a log-probability of {total}")
