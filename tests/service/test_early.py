"""What is put off while vLLM is imported, in a process of its own: collecting garbage, and vLLM's first words."""

import subprocess
import sys

PROGRAM = """
import gc, logging
import service.early
print(gc.isenabled(), logging.getLogger("vllm").isEnabledFor(logging.WARNING))
from service.engine_plugin import prepare_process
prepare_process()
print(gc.isenabled())
"""


def test_garbage_is_collected_again_once_vllm_has_called_our_plugin() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False False", "True"]


def test_vllms_level_is_the_users_where_one_is_set() -> None:
    program = "import logging, service.early; print(logging.getLogger('vllm').level)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"VLLM_LOGGING_LEVEL": "INFO"}
    )
    assert done.stdout.strip() == "20"
