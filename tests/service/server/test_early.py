"""What our processes put off while vLLM is imported; see test_engine_plugin.py for how that ends."""

import os
import subprocess
import sys


def test_vllms_level_is_the_users_where_one_is_set() -> None:
    program = "import logging, selfjudge_service.server.early; print(logging.getLogger('vllm').level)"
    environment = {**os.environ, "VLLM_LOGGING_LEVEL": "INFO"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "20"
