"""Clients of an application: one that hangs up, and any that needs a socket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI


async def hang_up(app: FastAPI, path: str, body: bytes, when: Awaitable[object]) -> list[Mapping[str, Any]]:
    """Sends a request and hangs up once `when` is done; returns what the application sent."""
    sent: list[Mapping[str, Any]] = []
    incoming: list[Mapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Mapping[str, Any]:
        if incoming:
            return incoming.pop()
        await when
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("test", 1),
        "server": ("test", 80),
    }
    async with asyncio.timeout(10):
        await app(scope, receive, send)  # type: ignore[arg-type]  # starlette wants mutable messages
    return sent


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """An application on a socket, behind uvicorn; yields its address."""
    running = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()  # clients are kept until uvicorn takes them
        serving = asyncio.create_task(running.serve(sockets=[sock]))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        running.should_exit = running.force_exit = True
        await serving
