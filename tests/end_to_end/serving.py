"""Starts real servers: the console script, the real engine, the tiny model."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import openai

START_SECONDS = 300
PATIENCE = 3
"""What the shared server is told to wait for a client, in seconds."""


class Server(NamedTuple):
    """A running server and how it was started."""

    url: str
    key: str
    model: str
    log: Path
    client: openai.OpenAI
    """The stock client, without retries: a first failure is a failure."""
    process: subprocess.Popen[bytes]

    def http(self) -> httpx.Client:
        """A plain client that bears the key."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60)


def until(holds: Callable[[], bool], seconds: float = 120) -> None:
    """Waits for something to hold, through refused connections."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(httpx.TransportError):
            if holds():
                return
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/ready").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"the server did not become ready:\n{log.read_text()[-4000:]}")


@contextmanager
def serving(log: Path, *flags: str, key: str = "", environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server of its own process from the console script, ready to answer."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("selfjudge-serve")), "tiny", "--port", str(port), *flags]
    if key:
        command += ["--api-key", key]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, stdout=sink, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})}
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process, log)
        with openai.OpenAI(base_url=f"{url}/v1", api_key=key or "none", max_retries=0) as client:
            yield Server(url, key, "selfjudge-tiny", log, client, process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        finally:
            process.kill()
