"""The plugin that vLLM calls once in each of its processes (`vllm.general_plugins`), after its imports.

Without `VLLM_PLUGINS` vLLM calls every installed plugin, in every process of every vLLM of the environment. So nothing
is imported or changed here unless that variable names ours; `selfjudge-serve` and training's roll-outs set it.
"""

import os

NAME = "selfjudge"


def prepare_process() -> None:
    """Mends vLLM, and has an engine end with its server.

    Raises:
        UntriedVersionError: if this version of vLLM has not been tried.
    """
    if NAME not in os.environ.get("VLLM_PLUGINS", "").split(","):
        return
    from selfjudge_service.engine import engine_process  # noqa: PLC0415  not in others' processes
    from selfjudge_service.vllm_patches.patching import apply_patches  # noqa: PLC0415

    engine_process.collect_garbage_again()
    apply_patches()
    engine_process.leave_signals_to_server()
    engine_process.end_with_parent()
