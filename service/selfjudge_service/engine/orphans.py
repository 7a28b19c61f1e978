"""Ends a process of an engine when whoever started it is gone: after kill -9 of the server no engine stays behind.

vLLM's engine never looks whether its server still lives. Processes that were forked are left alone, because a thread
must not be started in one that will fork again; `selfjudge-serve` forks none.
"""

import multiprocessing
import os
import signal
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from threading import Thread


def end_with_parent() -> None:
    """Watches the parent from now on, in a process that multiprocessing has started; does nothing in others."""
    parent = multiprocessing.parent_process()
    if parent is not None and not isinstance(multiprocessing.current_process(), ForkProcess):
        Thread(target=_end_after, args=(parent.sentinel,), name="end-with-parent", daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGKILL)
