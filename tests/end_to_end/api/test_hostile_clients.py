"""Clients that are slow, rude or gone: the server goes on, and keeps nothing of theirs."""

import json
import resource
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

import httpx
import psutil  # type: ignore[import-untyped]  # stubs are a package of their own
import pytest

from tests.end_to_end.api.test_metrics import values
from tests.end_to_end.serving import PATIENCE, Server

SETTLED = 60
"""Seconds after which nothing of a client may be left."""

CHAT = "/v1/chat/completions"
ASKED = {"messages": [{"role": "user", "content": "Sort these letters: QDBA"}], "best_of_n": 16, "max_tokens": 64}
STREAM = {**ASKED, "stream": True, "self_rejection": {"include": ["progress"]}}
RANK = {"prompt": "Which is longer?", "candidates": ["x " * length for length in range(100, 116)]}


class Usage(NamedTuple):
    """What requests hold while they are answered."""

    kv_cache: float
    running: float
    waiting: float
    tournaments: float
    tasks: float
    descriptors: int


def usage(server: Server) -> Usage:
    """What the server holds now, this request included."""
    told = values(server)
    return Usage(
        told["vllm:kv_cache_usage_perc"],
        told["vllm:num_requests_running"],
        told["vllm:num_requests_waiting"],
        told["selfjudge_tournaments_running"],
        told["selfjudge_event_loop_tasks"],
        sum(process.num_fds() for process in processes(server)),
    )


def processes(server: Server) -> list[psutil.Process]:
    """The server's own, and its engine's where that has one."""
    main = psutil.Process(server.process.pid)
    return [main, *main.children(recursive=True)]


def port(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


@pytest.fixture(scope="module")
def server(server: Server) -> Server:
    """Warm: what is opened once stays open; after that, nothing may be added."""
    with server.http() as client:
        for path, body in ((CHAT, ASKED), (CHAT, STREAM), ("/v1/rank", RANK)):
            client.post(path, json=body).raise_for_status()
    wait_until_idle(server)
    return server


def wait_until_idle(server: Server) -> Usage:
    deadline = time.monotonic() + SETTLED
    while (now := usage(server))[:4] != (0, 0, 0, 0):
        assert time.monotonic() < deadline, now
        time.sleep(0.2)
    return now


@pytest.fixture(autouse=True)
def nothing_is_left(server: Server) -> Iterator[None]:
    """Fails a test after which the server holds more than before, or answers no more."""
    before = wait_until_idle(server)
    yield
    # The engine tells what it holds when it has worked.
    with server.http() as client:
        client.post(CHAT, json={**ASKED, "best_of_n": 1, "max_tokens": 1}).raise_for_status()
    deadline = time.monotonic() + SETTLED
    while any(now > was for now, was in zip(usage(server), before, strict=True)):
        assert time.monotonic() < deadline, (before, usage(server))
        time.sleep(0.2)


def connect(server: Server, first: bytes = b"") -> socket.socket:
    """A connection on which something has been sent."""
    sock = socket.create_connection(("127.0.0.1", port(server)), timeout=30)
    sock.sendall(first)
    return sock


def head(server: Server, path: str, length: int, method: str = "POST") -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {server.key}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def request(server: Server, path: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    return head(server, path, len(content)) + content


def is_closed(sock: socket.socket) -> bool:
    """Whether the server ends the connection, having answered or not."""
    with suppress(ConnectionError):
        while sock.recv(2**16):
            pass
    return True


def told(server: Server, data: bytes) -> bytes:
    """The status line of the answer to what the server needn't read to its end."""
    with connect(server) as sock:
        with suppress(ConnectionError):
            sock.sendall(data)
        return sock.recv(len(b"HTTP/1.1 200"))


def reset(sock: socket.socket) -> None:
    """Hangs up without a word of parting."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_slow_requests_are_not_waited_for(server: Server) -> None:
    parts = [
        b"",
        head(server, CHAT, 10)[:-20],
        head(server, CHAT, 1000) + b"{",
        head(server, CHAT, 1).replace(b"Content-Length: 1", b"Transfer-Encoding: chunked") + b"9\r\n{",
    ]
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server, part)) for part in parts for _ in range(50)]
        assert all(map(is_closed, clients))


def test_a_drop_now_and_then_keeps_no_connection(server: Server) -> None:
    def drip(sock: socket.socket) -> None:
        for _ in range(20 * PATIENCE):
            sock.sendall(b"x: y\r\n")
            time.sleep(0.2)

    with connect(server, head(server, CHAT, 1000)[:-2]) as sock, pytest.raises(ConnectionError):
        drip(sock)


def test_an_answer_nobody_takes_is_given_up(server: Server) -> None:
    with connect(server) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with suppress(TimeoutError, ConnectionError):
            sock.settimeout(2 * PATIENCE)
            sock.sendall(head(server, "/openapi.json", 0, "GET") * 1000)
        deadline = time.monotonic() + SETTLED
        while any(one.status == psutil.CONN_ESTABLISHED for one in connections_of(server, sock)):
            assert time.monotonic() < deadline
            time.sleep(0.2)


def connections_of(server: Server, sock: socket.socket) -> list[Any]:
    """The server's end of a connection, while it has one."""
    own = sock.getsockname()[1]
    return [
        one for process in processes(server) for one in process.net_connections() if one.raddr and one.raddr.port == own
    ]


def test_a_slow_reader_gets_the_whole_stream(server: Server) -> None:
    with connect(server, request(server, CHAT, STREAM)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        text = b""
        while b"0\r\n\r\n" not in text:
            text += sock.recv(500)
            time.sleep(0.05)
    assert b"data: [DONE]" in text


def test_endless_heads_are_refused(server: Server) -> None:
    endless = head(server, CHAT, 2)[:-2] + b"".join(b"x-%d: %b\r\n" % (number, b"y" * 1000) for number in range(1000))
    assert [told(server, endless) for _ in range(20)] == [b"HTTP/1.1 431"] * 20


@pytest.mark.parametrize("sent", ["whole", "half", "in chunks"])
def test_bodies_of_ten_megabytes(server: Server, sent: str) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "x" * 10_000_000}]}).encode()
    known = head(server, CHAT, len(body))
    unknown = known.replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
    data = {
        "whole": known + body,
        "half": known + body[:5_000_000],
        "in chunks": unknown + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    }[sent]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: told(server, data), range(16)))
    assert answers == [b"HTTP/1.1 413"] * 16


def test_a_thousand_connections(server: Server) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(1000)]
        with server.http() as client:
            client.post(CHAT, json=ASKED).raise_for_status()
        assert all(map(is_closed, clients))


def test_half_a_connection_is_taken_for_none(server: Server) -> None:
    with connect(server, request(server, CHAT, ASKED)) as sock:
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""


def stages(client: httpx.Client) -> Iterator[str]:
    """How far a tournament that streams has come, again and again."""
    with client.stream("POST", CHAT, json=STREAM) as answer:
        yield "accepted"
        for line in answer.iter_lines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line.removeprefix("data: "))
            progress = event.get("self_rejection", {}).get("progress")
            if progress is None:
                yield "streaming"
            elif progress["matches"]:
                yield "in a match"
            elif progress["candidates"]:
                yield "sampling"


@pytest.mark.parametrize("stage", ["accepted", "sampling", "in a match", "streaming"])
def test_hanging_up_while_it_streams(server: Server, stage: str) -> None:
    def hang_up() -> bool:
        with server.http() as client:
            return any(reached == stage for reached in stages(client))

    with ThreadPoolExecutor(4) as pool:
        reached = [pool.submit(hang_up) for _ in range(12)]
    assert any(future.result() for future in reached)


@pytest.mark.parametrize(
    ("path", "body"), [(CHAT, ASKED), (CHAT, STREAM), ("/v1/rank", RANK), (CHAT, {**ASKED, "best_of_n": 1})]
)
def test_hanging_up_at_any_time(server: Server, path: str, body: dict[str, Any]) -> None:
    for delay in (0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4):
        with ExitStack() as stack:
            clients = [stack.enter_context(connect(server, request(server, path, body))) for _ in range(4)]
            time.sleep(delay)
            for rude in clients[::2]:
                reset(rude)
