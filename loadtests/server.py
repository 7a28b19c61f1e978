"""A `selfjudge-serve` process, and what is said to it."""

import asyncio
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

_START_SECONDS: Final = 300
_STOP_SECONDS: Final = 20
_TOLD_OF_LOG: Final = 8000  # characters
_ADMIN_KEY: Final = "load-tests"
_ENVIRONMENT: Final = {
    "VLLM_SERVER_DEV_MODE": "1",  # adds the route that empties the prefix cache
    "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "600",  # seconds; no connection ends while another contender has its turn
    "SELFJUDGE_ADMIN_KEYS": _ADMIN_KEY,
}


class Connection:
    """What is said to a server, by its operator."""

    def __init__(self, session: aiohttp.ClientSession, url: str, process: int) -> None:
        self.session = session
        self.url = url
        self.process = process
        """Id of the server's first process."""

    async def get(self, path: str) -> dict[str, Any]:
        """The JSON answer."""
        async with self.session.get(path) as response:
            return await _json(response)

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON answer to a request.

        Raises:
            RuntimeError: if the server refuses, with what it said.
        """
        async with self.session.post(path, json=body) as response:
            return await _json(response)

    async def forget(self) -> None:
        """Empties the prefix cache."""
        # The last request's blocks are freed a moment after its answer.
        while not (await self.post("/reset_prefix_cache", {}))["success"]:  # noqa: ASYNC110  nothing tells when
            await asyncio.sleep(0.01)

    async def activate(self, policy: str, version: str) -> float:
        """Makes a version of a policy the active one; the seconds that took."""
        started = time.perf_counter()
        await self.post(f"/v1/adapters/{policy}/activate", {"version": version})
        return time.perf_counter() - started

    async def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        async with self.session.get("/metrics") as response:
            families = text_string_to_metric_families(await response.text())
        found = [sample.value for family in families for sample in family.samples if sample.name == name]
        if not found:
            raise RuntimeError(f"the server's metrics lack {name}")
        return sum(found)


async def _json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    if not response.ok:
        raise RuntimeError(f"{response.method} {response.url} was answered {response.status}: {await response.text()}")
    answer: dict[str, Any] = await response.json()
    return answer


@asynccontextmanager
async def running_server(flags: Sequence[str]) -> AsyncIterator[Connection]:
    """A server in a process of its own, ready to answer, and stopped at the end.

    Whatever goes wrong meanwhile is raised with the end of the server's log as a note, and the log is kept.

    Raises:
        RuntimeError: if it does not start.
    """
    port = _free_port()
    command = [str(Path(sys.executable).with_name("selfjudge-serve")), *flags, "--port", str(port)]
    with tempfile.NamedTemporaryFile(prefix="selfjudge-serve-", suffix=".log", delete=False) as sink:
        log = Path(sink.name)
        process = await asyncio.create_subprocess_exec(
            *command, stdout=sink, stderr=sink, env={**os.environ, **_ENVIRONMENT}
        )
    url = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession(
            url,
            headers={"Authorization": f"Bearer {_ADMIN_KEY}"},
            timeout=aiohttp.ClientTimeout(total=None),
            connector=aiohttp.TCPConnector(limit=0),
        ) as session:
            await _wait_until_ready(session, process)
            yield Connection(session, url, process.pid)
    except Exception as error:
        error.add_note(_kept(log))
        raise
    else:
        os.unlink(log)  # noqa: PTH108  ruff takes the path's own method for a wait
    finally:
        await _stop(process)


def _kept(log: Path) -> str:
    return f"{log} ends with:\n{log.read_text()[-_TOLD_OF_LOG:]}"


async def _wait_until_ready(session: aiohttp.ClientSession, process: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.returncode is None:
        try:
            async with session.get("/ready") as response:
                if response.ok:
                    return
        except aiohttp.ClientConnectionError:
            pass
        await asyncio.sleep(0.2)
    raise RuntimeError("the server did not become ready")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        # A server that hangs while it starts does not listen.
        process.kill()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port
