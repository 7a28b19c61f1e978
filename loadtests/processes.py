"""Memory and processor time of a server's processes, looked at while it is under load."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import psutil  # type: ignore[import-untyped]  # stubs are a package of their own

_KIB_PER_MIB: Final = 2**10
_COUNTED: Final = ("Pss_Anon:", "Pss_Shmem:")


class Look(NamedTuple):
    """All of a server's processes at one time."""

    at: float
    """Seconds since the first look."""
    memory_mib: float
    """What they share is counted once. Without pages of files, which depend on what else runs: libraries are shared."""
    cpu_seconds: float
    """Since they began."""


def look(process: int, since: float = 0.0) -> Look:
    """At a server, by the id of its first process."""
    server = psutil.Process(process)
    everyone = [server, *server.children(recursive=True)]
    times = [one.cpu_times() for one in everyone]
    return Look(
        time.monotonic() - since,
        sum(map(_memory_kib, everyone)) / _KIB_PER_MIB,
        sum(one.user + one.system for one in times),
    )


@asynccontextmanager
async def watching(process: int, pause: float) -> AsyncIterator[list[Look]]:
    """A list that grows by a look every `pause` seconds, and has one at the beginning and one at the end."""
    started = time.monotonic()
    looks = [look(process, started)]

    async def watch() -> None:
        while True:
            await asyncio.sleep(pause)
            # Adding up the pages of a large process takes a while.
            found = await asyncio.to_thread(look, process, started)
            looks.append(found)

    task = asyncio.create_task(watch())
    try:
        yield looks
    finally:
        task.cancel()
        looks.append(look(process, started))


def _memory_kib(process: psutil.Process) -> int:
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(_COUNTED))
