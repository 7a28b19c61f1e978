"""Where the processor's time of roll-outs goes, by what each back end does; learning is left out, which is the same.

Times are inclusive, of functions that don't call each other, on one thread; the profiler makes Python code look slower
than it is beside the kernels, so shares say more than seconds.
"""

import cProfile
import pstats
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from selfjudge_training.rollouts.benchmark.contenders import Contender
from selfjudge_training.self_training.config import SelfTrainingConfig


class Place(NamedTuple):
    """A function, by the end of its file's path and by its name."""

    file: str
    name: str


MODEL: Mapping[str, Place] = {
    "huggingface": Place("modeling_llama.py", "forward"),
    "vllm": Place("gpu_model_runner.py", "_model_forward"),
}

PLACES: Mapping[str, Mapping[str, Place]] = {
    "huggingface": {
        "choosing tokens from logits": Place("logits_process.py", "__call__"),
        "prompts into tokens, for policy and judge": Place("selfjudge/text/tokens.py", "encode_batch"),
    },
    "vllm": {
        "of the model: adapters": Place("lora/layers/base_linear.py", "_apply_lora_to_output"),
        "scheduling": Place("v1/core/sched/scheduler.py", "schedule"),
        "scheduling, afterwards": Place("v1/core/sched/scheduler.py", "update_from_output"),
        "requests in": Place("v1/engine/llm_engine.py", "add_request"),
        "answers out": Place("v1/engine/output_processor.py", "process_outputs"),
        "choosing tokens from logits": Place("v1/worker/gpu_model_runner.py", "sample_tokens"),
        "prompts into tokens, for policy and judge": Place("selfjudge/text/tokens.py", "encode_batch"),
    },
}
"""What is told apart, besides the model itself."""


class Spent(NamedTuple):
    """Processor seconds of the roll-outs of one step."""

    all: float
    by_part: dict[str, float]


def spend(config: SelfTrainingConfig, backend: str, folder: Path, steps: int, warm_up: int) -> Spent:
    """Profile the roll-outs of some steps."""
    contender = Contender(config, backend, folder, warm_up + steps)
    for number in range(warm_up):
        contender.step(number)
    profile = cProfile.Profile(time.process_time)
    for number in range(warm_up, warm_up + steps):
        contender.step(number, profile)
    contender.close()
    stats = pstats.Stats(profile)
    places = {"the model": MODEL[backend], **PLACES[backend]}
    return Spent(stats.total_tt / steps, {part: _inclusive(stats, at) / steps for part, at in places.items()})  # type: ignore[attr-defined]  # missing in typeshed


def _inclusive(stats: pstats.Stats, place: Place) -> float:
    """Seconds in a function and in what it calls: of the outermost one where several have its name."""
    found = [
        cumulative
        for (file, _, name), (_, _, _, cumulative, _) in stats.stats.items()  # type: ignore[attr-defined]  # likewise
        if name == place.name and file.endswith(place.file)
    ]
    return max(found, default=0.0)
