"""What must be set in our server before vLLM is imported; import this first.

The engine's process imports it as well, because it imports the main module of the command that started it. Processes of
a plain vLLM in the same environment must not, because this changes how they log.
"""

import atexit
import gc
import logging
import os

# What vLLM logs before its own logging is set up obeys its level too.
logging.getLogger("vllm").setLevel(os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR"))

# Imports make half a million objects that live on; looking for garbage among them takes a tenth of a start.
# `engine_process.collect_garbage_again` ends this.
gc.disable()
# Python would report what is set aside from collection as leaked at exit.
atexit.register(gc.unfreeze)
