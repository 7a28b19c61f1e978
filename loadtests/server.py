"""This server as a contender: a `selfjudge-serve` process, asked over HTTP with `best_of_n`."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from loadtests.outcome import Outcome
from loadtests.workload import Job, Sampling

_START_SECONDS = 300
_STOP_SECONDS = 20
_TOLD_OF_LOG = 8000  # characters
_CONTROL = {
    "VLLM_SERVER_DEV_MODE": "1",  # adds the route that empties the prefix cache
    "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "600",  # seconds; no connection ends while the other contenders have their turn
}


@asynccontextmanager
async def running_server(
    flags: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator["Connection"]:
    """A server in a process of its own, ready to answer, and stopped at the end.

    Whatever goes wrong meanwhile is raised with the end of its log as a note.

    Raises:
        RuntimeError: if it does not start.
    """
    port = _free_port()
    command = Path(sys.executable).with_name("selfjudge-serve")
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            command,
            *flags,
            "--port",
            str(port),
            stdout=sink,
            stderr=sink,
            env={**os.environ, **_CONTROL, **(environment or {})},
        )
    try:
        limits = aiohttp.ClientTimeout(total=None)
        url = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession(url, timeout=limits, connector=aiohttp.TCPConnector(limit=0)) as session:
            await _wait_until_ready(session, process)
            yield Connection(session, process.pid, url)
    except Exception as error:
        error.add_note(f"The end of the server's log:\n{_end_of(log)}")
        raise
    finally:
        await _stop(process)


class Connection:
    """What contenders say to a server."""

    def __init__(self, session: aiohttp.ClientSession, process: int, url: str) -> None:
        self.session = session
        self.process = process
        """Id of the server's first process."""
        self.url = url
        """For other programs."""

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON answer to a request.

        Raises:
            RuntimeError: if the server refuses, with what it said.
        """
        async with self.session.post(path, json=body) as response:
            if not response.ok:
                raise RuntimeError(f"POST {path} was answered {response.status}: {await response.text()}")
            answer: dict[str, Any] = await response.json()
            return answer

    async def forget(self) -> None:
        """Empties the prefix cache."""
        # The last request's blocks are freed a moment after its answer.
        while not (await self.post("/reset_prefix_cache", {}))["success"]:  # noqa: ASYNC110  nothing tells when
            await asyncio.sleep(0.01)


class ServerTournament:
    """One request for each tournament."""

    name = "server"

    def __init__(self, connection: Connection, sampling: Sampling) -> None:
        self._connection = connection
        self._sampling = sampling
        self.forget = connection.forget

    async def hold(self, job: Job, best_of_n: int) -> Outcome:
        """Has the server hold one tournament."""
        started = time.perf_counter()
        answer = await self._connection.post(
            "/v1/chat/completions",
            {
                "messages": job.messages,
                "best_of_n": best_of_n,
                "seed": job.seed,
                "top_k": 0,
                **({"self_rejection": {"seed": job.seed}} if best_of_n > 1 else {}),
                **self._sampling._asdict(),
            },
        )
        seconds = time.perf_counter() - started
        # Plain answers, to best_of_n=1, have no such report.
        report = answer.get("self_rejection", {"ranking": [0], "usage": {}})
        usage = report["usage"]
        return Outcome(
            seconds=seconds,
            winner=report["ranking"][0],
            sampled_tokens=answer["usage"]["completion_tokens"],
            judgments=usage.get("matches", 0),
            judge_tokens=usage.get("judge_prompt_tokens", 0),
            cached_tokens=usage.get("judge_cached_tokens", 0),
        )


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


def _end_of(log: Path) -> str:
    return log.read_text()[-_TOLD_OF_LOG:]


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port
