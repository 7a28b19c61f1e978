"""The plugin that vLLM runs once in each of its processes (`vllm.general_plugins`), after its imports.

Without `VLLM_PLUGINS`, that is every process of every vLLM in this environment, whoever starts it and for what. So
nothing here reads our settings or does anything else than mend vLLM for all.
"""

from selfjudge_service.engine.deafness import be_deaf
from selfjudge_service.engine.orphans import end_with_parent
from selfjudge_service.vllm_patches.cache_patch import zero_new_blocks
from selfjudge_service.vllm_patches.cpu_lora_patch import multiply_by_runs
from selfjudge_service.vllm_patches.cpu_seeds_patch import put_generators_aside
from selfjudge_service.vllm_patches.garbage_collection import imports_are_done
from selfjudge_service.vllm_patches.sampler_patch import keep_top_logprobs


def prepare_process() -> None:
    """Ends the time of imports; mends sampler, cache and, on CPUs, LoRA and seeds; an engine ends with its server."""
    imports_are_done()
    keep_top_logprobs()
    multiply_by_runs()
    put_generators_aside()
    zero_new_blocks()
    be_deaf()
    end_with_parent()
