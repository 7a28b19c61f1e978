"""Roll-outs by a vLLM engine in this process: a second copy of the weights, paged and continuously batched.

One engine samples with the newest adapter and judges without it. It reads model and adapters from folders and shares
nothing with a model that trains beside it. Leaves out several devices and processes: under `accelerate launch`, use
the Hugging Face back end.
"""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import AutoTokenizer
from typing_extensions import override

from selfjudge import AdapterError, ChoiceTokens
from selfjudge.adapters import check_adapter, read_base
from selfjudge_training.rollouts.base import RollOuts, Sampling
from selfjudge_training.rollouts.engine_start import served_rank, start_engine
from selfjudge_training.seeds import seed_of

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.lora.request import LoRARequest
    from vllm.outputs import CompletionOutput


class EngineRollOuts(RollOuts):
    """An engine and its adapter. The folder of an adapter has to stay as it is while the adapter is in use."""

    def __init__(self, model: Path, *, rank: int, max_tokens: int, cache_gib: float | None = None) -> None:
        """Load a model from its folder. Raises ConfigError, also where vLLM is not installed."""
        self._model, self._max_rank = model, served_rank(rank)
        self._engine = start_engine(model, self._max_rank, max_tokens, cache_gib)
        super().__init__(AutoTokenizer.from_pretrained(model), int(self._engine.model_config.max_model_len))
        self._adapter: LoRARequest | None = None
        self._adapter_ids = count(1)

    @override
    def _generate(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling, seed: int) -> list[list[int]]:
        """A seed's responses to a conversation depend on its place, not on those around it."""
        temperature, top_p, max_tokens = sampling
        options: dict[str, Any] = {"max_tokens": max_tokens, "stop_token_ids": self.ends, "n": samples}
        options |= {"temperature": temperature, "top_p": top_p}
        params = [_parameters(seed=seed_of(seed, place), **options) for place in range(len(prompts))]
        return [list(output.token_ids) for outputs in self._run(prompts, params, self._adapter) for output in outputs]

    @override
    def _read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[list[float]]:
        """The engine gathers the two values, of any rank, from its raw log-probabilities."""
        params = [_parameters(max_tokens=1, temperature=0, logprob_token_ids=list(choice)) for _ in prompts]
        return [_choice_logprobs(output, choice) for [output] in self._run(prompts, params, None)]

    def use_adapter(self, path: Path | None) -> None:
        """Sample with this adapter from now on: a folder as PEFT writes it; None: with the bare model.

        To the engine every call brings a version of its own, and drops the one before. Raises AdapterError where the
        folder holds no adapter for this model, and leaves the one in use.
        """
        former, self._adapter = self._adapter, None if path is None else self._loaded(path)
        if former is not None:
            self._engine.remove_lora(former.lora_int_id)

    def close(self) -> None:
        """Give the engine's memory back; nothing can be sampled or read afterwards."""
        self._engine.engine_core.shutdown()
        del self._engine

    def _loaded(self, path: Path) -> "LoRARequest":
        from vllm.lora.request import LoRARequest  # noqa: PLC0415

        base = read_base(self._model)
        check_adapter(path, base.shapes, self._max_rank, base.weights)
        # The engine's prefix cache goes by the name, its weights by the id: both are new, even if the folder is not.
        number = next(self._adapter_ids)
        request = LoRARequest(f"{path}#{number}", number, str(path.resolve()))
        try:
            self._engine.add_lora(request)
        except Exception as error:
            self._engine.remove_lora(number)
            raise AdapterError("engine", f"{path}: the engine refuses this adapter: {error}") from error
        return request

    def _run(
        self, prompts: Sequence[list[int]], params: Sequence["SamplingParams"], adapter: "LoRARequest | None"
    ) -> list[list["CompletionOutput"]]:
        """All prompts at once; the outputs of each, in the order of the prompts."""
        from vllm.inputs.engine import tokens_input  # noqa: PLC0415
        from vllm.outputs import RequestOutput  # noqa: PLC0415

        names = [str(place) for place in range(len(prompts))]
        found: dict[str, list[CompletionOutput]] = {}
        try:
            for name, prompt, how in zip(names, prompts, params, strict=True):
                self._engine.add_request(name, tokens_input(prompt), how, lora_request=adapter)
            while self._engine.has_unfinished_requests():
                for output in self._engine.step():
                    if isinstance(output, RequestOutput) and output.finished:
                        found[output.request_id] = output.outputs
        except BaseException:
            # What is left in the engine would come back among the answers of the next call.
            self._engine.abort_request(names)
            raise
        return [found[name] for name in names]


def _parameters(**options: Any) -> "SamplingParams":  # noqa: ANN401  vLLM's own
    """Of one request: token ids only, and only when all are there; text is made of them afterwards, in one batch.

    As no other request shares them, the engine need not copy them, which took it a tenth of the time of small models.
    """
    from vllm import SamplingParams  # noqa: PLC0415
    from vllm.sampling_params import RequestOutputKind  # noqa: PLC0415

    return SamplingParams(detokenize=False, output_kind=RequestOutputKind.FINAL_ONLY, skip_clone=True, **options)


def _choice_logprobs(output: "CompletionOutput", choice: ChoiceTokens) -> list[float]:
    if not output.logprobs:
        raise RuntimeError("the engine returned no log-probabilities for a judge read")
    return [output.logprobs[0][token].logprob for token in choice]
