"""What the standby imports before it is asked for an engine; nothing else imports this.

Imports that depend on the model, start threads or touch a GPU are not here.
"""

# ruff: noqa: F401

import gc

import vllm.v1.engine.async_llm

import selfjudge_service.server.early
import selfjudge_service.server.launcher
import selfjudge_service.vllm_patches.patching
from selfjudge_service.engine.engine_process import ignore_stopping

# Engines are taken to have ended when the standby does; it ends by itself when the server and all engines are gone.
ignore_stopping()

# Engines share the memory of what is here until it is written to, and a collection would write.
gc.freeze()
