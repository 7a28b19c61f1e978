"""SIGTERM and SIGINT are the server's: it finishes what is under way, and then ends its engine by another signal.

Whoever stops a whole group of processes (systemd by default, Ctrl-C in a terminal) sends these to the engine too, which
would end under the requests that the server is still finishing.
"""

import multiprocessing
import os
import signal
from typing import Final

END: Final = signal.SIGUSR2
"""What the server ends its engine by; it does what vLLM has SIGTERM do."""

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
# Inherited by all processes of an engine. A stock vLLM server with our plugin ends its engine by SIGTERM.
_SUPERVISED: Final = "SELFJUDGE_SUPERVISED"


def supervise_children() -> None:
    """Has processes that are started from now on be deaf once they call `be_deaf`."""
    os.environ[_SUPERVISED] = "1"


def be_deaf() -> None:
    """Ignores SIGTERM and SIGINT in a process of a supervised engine; `END` is handled as SIGTERM was."""
    if os.environ.get(_SUPERVISED) and multiprocessing.parent_process() is not None:
        signal.signal(END, signal.getsignal(signal.SIGTERM))
        ignore()


def ignore() -> None:
    """Ignores SIGTERM and SIGINT."""
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)
