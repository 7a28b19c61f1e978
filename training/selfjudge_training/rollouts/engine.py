"""Roll-outs by a vLLM engine in this process: a second copy of the weights, paged and continuously batched.

One engine samples with the newest adapter and judges without it. It reads model and adapters from folders and shares
nothing with a model that trains beside it. Leaves out several devices and processes: under `accelerate launch`, use
the Hugging Face back end. vLLM is imported only when an engine is made, so that training works without it.
"""

import os
import re
import warnings
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from transformers import AutoTokenizer
from typing_extensions import override

from selfjudge import AdapterError, ChoiceTokens
from selfjudge.adapters import ENGINE_RANKS, EngineRank, check_adapter, read_base
from selfjudge_training.rollouts.base import RollOuts, Sampling
from selfjudge_training.run.config import ConfigError
from selfjudge_training.seeds import seed_of

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.lora.request import LoRARequest
    from vllm.outputs import CompletionOutput
    from vllm.v1.engine.llm_engine import LLMEngine

_QUIET: Final = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}

# bfloat16 dies with an illegal instruction on some virtual machines; small cache blocks keep more of a judge prompt.
# With LoRA vLLM compiles nothing on a CPU, but still replaces its own kernels by operations that are there to be
# compiled, unless it is told beforehand that nothing will be.
_ON_CPU: Final = {"dtype": "float32", "block_size": 32, "enforce_eager": True}

# With a cache of a given size vLLM still wants this share of the GPU to be free; training has its own part of it.
_ON_GPU: Final = {"gpu_memory_utilization": 0.05}

_GIB: Final = 2**30
_CACHE_SHARE: Final = 0.25
_MOST_ON_CPU: Final = 4 * _GIB


class EngineRollOuts(RollOuts):
    """An engine and its adapter. The folder of an adapter has to stay as it is while the adapter is in use."""

    def __init__(self, model: Path, *, rank: int, max_tokens: int, cache_gib: float | None = None) -> None:
        """Load a model from its folder. Raises ConfigError, also where vLLM is not installed."""
        self._model, self._max_rank = model, served_rank(rank)
        self._engine = _start(model, self._max_rank, max_tokens, cache_gib)
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

    def use_adapter(self, path: Path) -> None:
        """Sample with this adapter from now on, a folder as PEFT writes it.

        To the engine every call brings a version of its own, and drops the one before. Raises AdapterError where the
        folder holds no adapter for this model, and leaves the one in use.
        """
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
        if self._adapter is not None:
            self._engine.remove_lora(self._adapter.lora_int_id)
        self._adapter = request

    def close(self) -> None:
        """Give the engine's memory back; nothing can be sampled or read afterwards."""
        self._engine.engine_core.shutdown()
        del self._engine

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


def served_rank(rank: int) -> EngineRank:
    """The rank that vLLM is started for. Raises ConfigError where it has none that high."""
    if rank > max(ENGINE_RANKS):
        raise ConfigError(f"lora.rank: {rank} is more than the {max(ENGINE_RANKS)} that vLLM serves")
    return min(each for each in ENGINE_RANKS if each >= rank)


def _start(model: Path, max_rank: EngineRank, max_tokens: int, cache_gib: float | None) -> "LLMEngine":
    """An engine in this process, which seeds its random numbers; what training draws, it seeds anew each time.

    Raises ConfigError where vLLM is not installed, or its cache of keys and values can't hold one of the longest
    sequences.
    """
    # The plugin that comes with this package mends vLLM's LoRA on CPUs, where it is named.
    named = [name for name in os.environ.get("VLLM_PLUGINS", "").split(",") if name]
    os.environ["VLLM_PLUGINS"] = ",".join(dict.fromkeys([*named, "selfjudge"]))
    # The scheduler shares our process: nothing is copied between two, and on a CPU PyTorch's threads are ours.
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        from vllm.engine.arg_utils import EngineArgs  # noqa: PLC0415
        from vllm.platforms import current_platform  # noqa: PLC0415
        from vllm.v1.engine.llm_engine import LLMEngine  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "roll-outs by the engine need vLLM, which is not installed here: install selfjudge[cuda] on a GPU, or the "
            "list requirements/cpu.txt on a CPU; or choose the Hugging Face back end, which needs nothing"
        ) from error
    on_cpu = current_platform.is_cpu()
    options: dict[str, Any] = dict(_ON_CPU if on_cpu else _ON_GPU)
    arguments = EngineArgs(
        model=str(model),
        max_model_len=max_tokens,
        kv_cache_memory_bytes=_cache_bytes(model, cache_gib, on_cpu=on_cpu),
        enable_lora=True,
        max_lora_rank=max_rank,
        max_loras=1,
        max_cpu_loras=2,
        generation_config="vllm",
        disable_log_stats=True,
        **options,
    )
    set_num_threads = torch.set_num_threads
    try:
        with warnings.catch_warnings():
            # vLLM looks at every attribute of PyTorch, deprecated ones included.
            warnings.simplefilter("ignore", FutureWarning)
            return LLMEngine.from_engine_args(arguments, enable_multiprocessing=False)
    except ValueError as error:
        # Errors about the cache name keys of vLLM's own that can't be set here.
        if not re.search(r"KV\s+cache|memory for kv", str(error)):
            raise
        size = "sized by what is free" if cache_gib is None else f"of {cache_gib:g} GiB"
        raise ConfigError(
            f"rollouts.engine.cache_gib: a cache {size} won't do; set another, or lower max_tokens. vLLM says: {error}"
        ) from error
    finally:
        torch.set_num_threads = set_num_threads  # which vLLM disables on a CPU


def _cache_bytes(model: Path, cache_gib: float | None, *, on_cpu: bool) -> int:
    """Training shares the machine: it holds the weights once more, and its activations come and go."""
    if cache_gib is not None:
        return int(cache_gib * _GIB)
    import psutil  # type: ignore[import-untyped]  # noqa: PLC0415  # with vLLM it is there; it has no stubs

    weights = sum(file.stat().st_size for file in model.glob("*.safetensors"))
    free = psutil.virtual_memory().available if on_cpu else torch.cuda.mem_get_info()[0]
    size = int(_CACHE_SHARE * max(0, free - 2 * weights))
    return min(size, _MOST_ON_CPU) if on_cpu else size
