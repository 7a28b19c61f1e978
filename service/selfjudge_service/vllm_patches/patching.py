"""Which patches a process needs, by its version of vLLM and its platform."""

from collections.abc import Callable
from typing import Final, NamedTuple

from packaging.specifiers import SpecifierSet
from vllm import __version__
from vllm.platforms import current_platform

from selfjudge_service.vllm_patches.cache_patch import zero_new_blocks
from selfjudge_service.vllm_patches.cpu_draw_patch import draw_by_cumulative_probability
from selfjudge_service.vllm_patches.cpu_lora_patch import multiply_by_runs
from selfjudge_service.vllm_patches.cpu_norm_patch import normalise_by_kernels
from selfjudge_service.vllm_patches.cpu_seeds_patch import put_generators_aside
from selfjudge_service.vllm_patches.cpu_top_p_patch import sort_candidates_only
from selfjudge_service.vllm_patches.sampler_patch import keep_top_logprobs
from selfjudge_service.vllm_patches.versions import require_tried


class Patch(NamedTuple):
    """A replacement in vLLM's classes, and the versions that have the fault or the slowness which it mends."""

    versions: SpecifierSet
    apply: Callable[[], None]
    cpu_only: bool = False


PATCHES: Final = (
    Patch(SpecifierSet(">=0.32,<0.34"), keep_top_logprobs),
    Patch(SpecifierSet(">=0.32,<0.34"), zero_new_blocks),
    Patch(SpecifierSet("==0.32.*"), multiply_by_runs, cpu_only=True),
    Patch(SpecifierSet("==0.32.*"), put_generators_aside, cpu_only=True),
    Patch(SpecifierSet("==0.32.*"), normalise_by_kernels, cpu_only=True),
    Patch(SpecifierSet("==0.32.*"), sort_candidates_only, cpu_only=True),
    Patch(SpecifierSet("==0.32.*"), draw_by_cumulative_probability, cpu_only=True),
)


def apply_patches() -> None:
    """Applies them.

    Raises:
        UntriedVersionError: if this version of vLLM has not been tried.
    """
    require_tried(__version__)
    for patch in PATCHES:
        if patch.versions.contains(__version__) and (current_platform.is_cpu() or not patch.cpu_only):
            patch.apply()
