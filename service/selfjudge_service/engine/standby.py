"""The standby: a process that has imported what engines need, and forks them.

Most of an engine's start is importing vLLM and torch. multiprocessing's fork server does that once; an engine forked
from it starts with everything imported, and shares that memory with it. It runs no model and starts no threads.

Processes that an engine starts itself, as tensor parallelism does, are started as ever.
"""

import multiprocessing
import os
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Final

import psutil  # type: ignore[import-untyped]  # stubs are a package of their own
from typing_extensions import override
from vllm.v1.engine import utils as engine_processes

from selfjudge_service.engine.engine_process import END, supervise_children

_HELPERS: Final = ("multiprocessing.forkserver import", "multiprocessing.resource_tracker import")


class EngineProcess(ForkServerProcess):
    """An engine's process, which leaves SIGTERM to the server."""

    @override
    def terminate(self) -> None:
        """Asks it to end."""
        if self.is_alive() and self.pid is not None:
            os.kill(self.pid, END)


class _Context(ForkServerContext):
    Process = EngineProcess


def start_standby() -> None:
    """Starts the standby, unless it runs, and has vLLM fork its engines there.

    Its environment, and so that of engines, is the one at this moment.
    """
    supervise_children()
    # vLLM's own setting knows `fork` and `spawn` only.
    engine_processes.get_mp_context = _from_standby  # type: ignore[attr-defined]  # imported there
    multiprocessing.set_forkserver_preload(["selfjudge_service.server.early", "selfjudge_service.server.preload"])
    forkserver.ensure_running()


def kill_engines() -> None:
    """Kills all processes of this server's engines, those that engines have started among them."""
    server = psutil.Process()
    helpers = {child.pid for child in server.children() if _is_helper(child)}
    for process in server.children(recursive=True):
        if process.pid not in helpers:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _is_helper(child: psutil.Process) -> bool:
    """Whether a child of the server's is the standby or multiprocessing's tracker; its engines may look like it."""
    try:
        return any(sign in " ".join(child.cmdline()) for sign in _HELPERS)
    except psutil.NoSuchProcess:
        return False


def _from_standby() -> ForkServerContext:
    return _Context()
