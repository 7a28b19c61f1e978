"""Connections over real sockets, and an application that answers when a test lets it."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import pytest
import uvicorn
from selfjudge_service.server.connections import _ALIVE, MAX_HEAD_BYTES, connections
from starlette.types import Receive, Scope, Send

SECONDS = 0.4
REQUEST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody"


class Client(NamedTuple):
    """The other end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def closed_after(self) -> float:
        """Seconds until the server closes."""
        started = time.monotonic()
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                await self.reader.read()
        return time.monotonic() - started


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  uvicorn sets no event
            await asyncio.sleep(0.01)


async def drip(client: Client, piece: bytes) -> float:
    """Sends a piece now and then until the server closes; how long that took."""
    started = time.monotonic()
    async with asyncio.timeout(10):
        with suppress(ConnectionError):
            while True:
                client.writer.write(piece)
                await client.writer.drain()
                await asyncio.sleep(SECONDS / 8)
    return time.monotonic() - started


class Answering:
    """An application that reads a body and then answers with `size` bytes, once `goes_on` is set."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.size = 2
        self.ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await self.goes_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(0, self.size, 2**16):
            await send({"type": "http.response.body", "body": b"x" * min(self.size, 2**16), "more_body": True})
        await send({"type": "http.response.body"})
        self.ended.set()


@pytest.fixture
async def application() -> Answering:
    return Answering()


@pytest.fixture
async def server(application: Answering) -> AsyncIterator[uvicorn.Server]:
    config = uvicorn.Config(
        application, port=0, http=connections(SECONDS), timeout_keep_alive=30, log_level="error", lifespan="off"
    )
    running = uvicorn.Server(config)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(running.serve(sockets=[sock]))
        await until(lambda: running.started)
        yield running
        running.should_exit = running.force_exit = True
        await serving


@asynccontextmanager
async def connected(server: uvicorn.Server, first: bytes = b"") -> AsyncIterator[Client]:
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"POST / HT",
        b"POST / HTTP/1.1\r\nhost: x\r\nslow",
        REQUEST[:-1],
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n",
    ],
)
async def test_a_request_that_does_not_come_is_waited_for_only_so_long(server: uvicorn.Server, first: bytes) -> None:
    async with connected(server, first) as client:
        assert SECONDS / 2 < await client.closed_after() < SECONDS + 3
    await until(lambda: not server.server_state.connections and not server.server_state.tasks)


@pytest.mark.parametrize(
    ("first", "piece"), [(b"POST / HTTP/1.1\r\n", b"x: y\r\n"), (b"", b"\r\n"), (REQUEST, b"\r\n")]
)
async def test_a_drop_now_and_then_is_not_enough(server: uvicorn.Server, first: bytes, piece: bytes) -> None:
    async with connected(server, first) as client:
        assert await drip(client, piece) > SECONDS / 2


async def test_the_wait_for_an_answer_is_not_limited(server: uvicorn.Server, application: Answering) -> None:
    application.goes_on.clear()
    async with connected(server, REQUEST) as client:
        await asyncio.sleep(3 * SECONDS)
        application.goes_on.set()
        assert (await client.reader.readline()).split()[1] == b"200"


async def test_a_connection_serves_many_requests(server: uvicorn.Server) -> None:
    async with connected(server) as client:
        for _ in range(3):
            client.writer.write(REQUEST)
            head = await client.reader.readuntil(b"\r\n\r\n")
            assert head.split()[1] == b"200"
            await client.reader.readuntil(b"0\r\n\r\n")
            await asyncio.sleep(SECONDS * 1.5)


async def test_requests_sent_ahead_are_answered_however_long_the_first_takes(
    server: uvicorn.Server, application: Answering
) -> None:
    application.goes_on.clear()
    async with connected(server, REQUEST + REQUEST[:-1]) as client:
        await asyncio.sleep(2 * SECONDS)
        client.writer.write(REQUEST[-1:])
        application.goes_on.set()
        for _ in range(2):
            head = await client.reader.readuntil(b"\r\n\r\n")
            assert head.split()[1] == b"200"
            await client.reader.readuntil(b"0\r\n\r\n")


async def test_a_client_that_takes_nothing_is_let_go(server: uvicorn.Server, application: Answering) -> None:
    application.size = 2**26
    async with connected(server, REQUEST):
        async with asyncio.timeout(10):
            await application.ended.wait()
        await until(lambda: not server.server_state.connections)


async def test_a_slow_client_that_takes_something_is_served(server: uvicorn.Server, application: Answering) -> None:
    application.size = 2**24
    async with connected(server, REQUEST) as client:
        taken = 0
        while piece := await client.reader.read(2**20):
            taken += len(piece)
            await asyncio.sleep(SECONDS / 10)
            if piece.endswith(b"0\r\n\r\n"):
                break
        assert taken >= application.size


@pytest.mark.parametrize(
    "head",
    [
        b"x: " + b"y" * (2 * MAX_HEAD_BYTES),
        b"x: y\r\n" * (MAX_HEAD_BYTES // 4),
    ],
)
@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
async def test_heads_have_a_limit(server: uvicorn.Server, head: bytes, end: bytes) -> None:
    async with connected(server, b"GET / HTTP/1.1\r\n" + head + end) as client:
        assert (await client.reader.readline()).split()[1] == b"431"
        await client.closed_after()
    assert not server.server_state.tasks


async def test_a_head_within_the_limit_is_read(server: uvicorn.Server) -> None:
    head = b"GET / HTTP/1.1\r\nx: " + b"y" * (MAX_HEAD_BYTES - 1000) + b"\r\n\r\n"
    async with connected(server, head) as client:
        assert (await client.reader.readline()).split()[1] == b"200"


async def test_tcp_asks_whether_a_silent_client_is_there(server: uvicorn.Server) -> None:
    async with connected(server):
        await until(lambda: bool(server.server_state.connections))
        [connection] = server.server_state.connections
        sock = connection.transport.get_extra_info("socket")
        assert [sock.getsockopt(level, option) for level, option, _ in _ALIVE] == [value for _, _, value in _ALIVE]


async def test_heads_of_many_requests_are_not_added_up(server: uvicorn.Server) -> None:
    request = REQUEST.replace(b"\r\n\r\n", b"\r\nx: " + b"y" * 4000 + b"\r\n\r\n")
    async with connected(server) as client:
        for _ in range(3 * MAX_HEAD_BYTES // len(request)):
            client.writer.write(request)
            assert (await client.reader.readline()).startswith(b"HTTP/1.1 200 ")
            async with asyncio.timeout(10):
                while await client.reader.readline() != b"0\r\n":
                    pass
                await client.reader.readline()
