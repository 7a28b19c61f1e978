"""What a process of an engine does besides vLLM's work: it ends when its server says so, or is gone, and not before.

systemd by default, and Ctrl-C in a terminal, send SIGTERM or SIGINT to the engine too, which would end under the
requests that the server is still finishing. So it ignores them, and the server ends it by another signal.
"""

import gc
import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from threading import Thread
from typing import Final

END: Final = signal.SIGUSR2
"""What the server ends its engine by; it does what vLLM has SIGTERM do."""

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
# Inherited by all processes of an engine. A stock vLLM server with our plugin ends its engine by SIGTERM.
_SUPERVISED: Final = "SELFJUDGE_SUPERVISED"


def supervise_children() -> None:
    """Has `leave_signals_to_server` do so in processes that are started from now on."""
    os.environ[_SUPERVISED] = "1"


def leave_signals_to_server() -> None:
    """Ignores SIGTERM and SIGINT in a process of a supervised engine; `END` is handled as SIGTERM was."""
    if os.environ.get(_SUPERVISED) and multiprocessing.parent_process() is not None:
        signal.signal(END, signal.getsignal(signal.SIGTERM))
        ignore_stopping()


def ignore_stopping() -> None:
    """Ignores SIGTERM and SIGINT."""
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)


def end_with_parent() -> None:
    """Ends this process when that which started it is gone: after kill -9 of the server no engine stays behind.

    vLLM's engine never looks whether its server still lives. Does nothing in processes that multiprocessing has not
    started, nor in those that were forked, because a thread must not be started in one that will fork again;
    `selfjudge-serve` forks none.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and not isinstance(multiprocessing.current_process(), ForkProcess):
        Thread(target=_end_after, args=(parent.sentinel,), name="end-with-parent", daemon=True).start()


def collect_garbage_again() -> None:
    """Ends the time without garbage collection that server/early.py begins; does nothing in other processes.

    Objects that are there already are not looked at again.
    """
    if "selfjudge_service.server.early" in sys.modules:
        gc.freeze()
        gc.enable()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGKILL)
