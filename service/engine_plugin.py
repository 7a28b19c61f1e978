"""The plugin that vLLM runs once in each of its processes (`vllm.general_plugins`), after its imports."""

from service.cache_fix import add_cleaning
from service.early import imports_are_done
from service.lora_fix import multiply_by_runs
from service.sampler_fix import keep_top_logprobs
from service.supervision.orphans import end_with_parent


def prepare_process() -> None:
    """Ends the time of imports; mends the sampler and, on CPUs, LoRA; lets the cache be cleaned; leaves no orphans."""
    imports_are_done()
    keep_top_logprobs()
    multiply_by_runs()
    add_cleaning()
    end_with_parent()
