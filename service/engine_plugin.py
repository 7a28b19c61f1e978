"""The plugin that vLLM runs once in each of its processes (`vllm.general_plugins`), after its imports."""

from service.cache_fix import zero_new_blocks
from service.early import imports_are_done
from service.lora_fix import multiply_by_runs
from service.sampler_fix import keep_top_logprobs
from service.seed_fix import put_generators_aside
from service.settings import Settings
from service.supervision.deafness import be_deaf
from service.supervision.orphans import end_with_parent


def prepare_process() -> None:
    """Ends the time of imports; mends the sampler and, on CPUs, LoRA and seeds; zeroes blocks; ends with its server."""
    imports_are_done()
    keep_top_logprobs()
    multiply_by_runs()
    put_generators_aside()
    if Settings().adapters_dir:
        zero_new_blocks()
    be_deaf()
    end_with_parent()
