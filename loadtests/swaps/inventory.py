"""What a server holds, asked of itself and of the system: memory, adapters in the engine, leases, cache blocks."""

import asyncio
import re
from collections import Counter
from typing import Any, NamedTuple

import psutil  # type: ignore[import-untyped]  # stubs are a package of their own

from loadtests.server import Connection

_MIB = 2**20
_CACHE_USAGE = re.compile(r"^vllm:kv_cache_usage_perc\{.*\} (\S+)$", re.MULTILINE)


class Inventory(NamedTuple):
    """What a server holds while nobody asks."""

    memory: dict[str, float]
    """Resident MiB of its processes, by name."""
    loaded: int
    """Adapters in the engine."""
    listed: int
    """Versions that it says are loaded."""
    leases: int
    """Requests that hold a version."""
    cache_usage: float
    """Share of the cache's blocks that requests hold."""

    @property
    def memory_mib(self) -> float:
        """Of all its processes."""
        return sum(self.memory.values())


async def take_inventory(connection: Connection) -> Inventory:
    """What the server holds, a second after its last answer: the engine frees things in its next step."""
    await asyncio.sleep(1)
    versions = [one for policy in (await _get(connection, "/v1/adapters"))["data"] for one in policy["versions"]]
    told = await connection.post("/collective_rpc", {"method": "list_loras"})
    async with connection.session.get("/metrics") as response:
        usage = _CACHE_USAGE.search(await response.text())
    if usage is None:
        raise RuntimeError("the server's metrics don't tell how full its cache is: vllm:kv_cache_usage_perc is missing")
    return Inventory(
        _memory(connection.process),
        len(told["results"][0]),
        sum(one["state"] not in ("stored", "refused") for one in versions),
        sum(one["in_flight"] for one in versions),
        float(usage[1]),
    )


async def _get(connection: Connection, path: str) -> dict[str, Any]:
    async with connection.session.get(path) as response:
        response.raise_for_status()
        answer: dict[str, Any] = await response.json()
        return answer


def _memory(process: int) -> dict[str, float]:
    first = psutil.Process(process)
    held: Counter[str] = Counter()
    for one in [first, *first.children(recursive=True)]:
        held[one.name()] += one.memory_info().rss / _MIB
    return dict(held)
