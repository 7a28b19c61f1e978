"""The standby: a process that has imported what engines need, and forks them.

Most of an engine's start is importing vLLM and torch. multiprocessing's fork server does that once; an engine forked
from it starts with everything imported, and shares that memory with it. It runs no model and starts no threads.

Processes that an engine starts itself, as tensor parallelism does, are started as ever.
"""

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from typing import Final

import psutil  # type: ignore[import-untyped]  # stubs are a package of their own
from vllm.v1.engine import utils as engine_processes

_NOT_ENGINES: Final = ("multiprocessing.forkserver import", "multiprocessing.resource_tracker import")


def start_standby() -> None:
    """Starts the standby, unless it runs, and has vLLM fork its engines there.

    Its environment, and so that of engines, is the one at this moment.
    """
    # vLLM's own setting knows `fork` and `spawn` only.
    engine_processes.get_mp_context = _from_standby  # type: ignore[attr-defined]  # imported there
    multiprocessing.set_forkserver_preload(["service.early", "service.supervision.preload"])
    forkserver.ensure_running()


def kill_engines() -> None:
    """Kills all processes that work in engines of this server, whoever has started them."""
    for process in psutil.Process().children(recursive=True):
        try:
            if not any(sign in " ".join(process.cmdline()) for sign in _NOT_ENGINES):
                process.kill()
        except psutil.NoSuchProcess:
            continue


def _from_standby() -> BaseContext:
    return multiprocessing.get_context("forkserver")
