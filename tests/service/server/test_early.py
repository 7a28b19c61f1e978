"""What our processes put off while vLLM is imported, and no others: collecting garbage, and vLLM's first words."""

import os
import subprocess
import sys

PROGRAM = """
import gc, logging
from vllm.plugins import load_general_plugins
from vllm.v1.kv_cache_interface import KVCacheConfig
speaks = lambda: logging.getLogger("vllm").isEnabledFor(logging.WARNING)
zeroes = lambda: KVCacheConfig(num_blocks=1, kv_cache_tensors=[], kv_cache_groups=[]).needs_kv_cache_zeroing
before = zeroes()
load_general_plugins()
print(before, zeroes(), gc.isenabled(), gc.get_freeze_count(), speaks())
import selfjudge_service.server.early
print(gc.isenabled(), speaks())
from selfjudge_service.engine_plugin import prepare_process
prepare_process()
print(gc.isenabled())
"""


def test_vllm_is_mended_whatever_our_settings_and_quiet_and_without_collection_for_us_only() -> None:
    environment = {**os.environ, "SELFJUDGE_MAX_BEST_OF_N": "many"}
    environment.pop("VLLM_LOGGING_LEVEL", None)  # another test may have imported the launcher
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
    plain, ours, ours_after_imports = done.stdout.splitlines()
    assert plain == "False True True 0 True"
    assert ours == "False False"
    assert ours_after_imports == "True"


def test_vllms_level_is_the_users_where_one_is_set() -> None:
    program = "import logging, selfjudge_service.server.early; print(logging.getLogger('vllm').level)"
    environment = {**os.environ, "VLLM_LOGGING_LEVEL": "INFO"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "20"
