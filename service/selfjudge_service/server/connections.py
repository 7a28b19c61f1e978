"""HTTP connections with time limits for clients.

uvicorn waits for ever for the rest of a request and for a client to take its answer, and reads heads of any length.
Here both waits end, heads have a limit, and TCP keep-alive finds clients that are gone. Answers may take any time.
"""

import asyncio
import socket
from http import HTTPStatus
from typing import Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD_BYTES: Final = 64 * 1024
"""Longest request line and headers together."""

# Colon, space and line break of a header.
_BESIDES: Final = 4

_TOO_LONG: Final = (
    f"HTTP/1.1 {HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE.value} "
    f"{HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
).encode()

_ALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),  # seconds of silence until the first question
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),  # seconds between questions
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),  # questions without an answer, after which the client is gone
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 120_000),  # milliseconds that what was sent may stay unconfirmed
)


class Connection(HttpToolsProtocol):
    """A connection that is closed when its client lets it wait."""

    client_seconds: float
    """Longest wait for a whole request, and for room for more of an answer."""

    _head: int | None = 0
    """Bytes of the head so far; None while what comes is a body."""
    _read: int = 0
    """Requests read to their end."""
    _reading: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        _notice_when_it_is_gone(transport.get_extra_info("socket"))
        self._wait_for_request()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._request_is_there()
        self._has_room()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        before, read = self._head, self._read
        super().data_received(data)
        # Data that ends a request is no part of the next one's head, or not all of it.
        if before is not None and self._head is not None and self._read == read:
            self._head = before + len(data)
            self._check_head()
        if self._reading is None and not _is_unanswered(self.cycle):
            self._wait_for_request()

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0
        self._wait_for_request()

    @override
    def on_headers_complete(self) -> None:
        self._head = len(self.url) + sum(len(name) + len(value) + _BESIDES for name, value in self.headers)
        if self._check_head():
            super().on_headers_complete()
            self._head = None

    @override
    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head = 0
        self._read += 1
        self._request_is_there()

    @override
    def handle_websocket_upgrade(self) -> None:
        self._request_is_there()
        super().handle_websocket_upgrade()

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        if self._writing is None:
            self._writing = self.loop.call_later(self.client_seconds, self.transport.abort)

    @override
    def resume_writing(self) -> None:
        self._has_room()
        super().resume_writing()

    def _check_head(self) -> bool:
        """Whether the head isn't too long; refuses it if it is."""
        if (self._head or 0) <= MAX_HEAD_BYTES:
            return True
        if not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()
        return False

    def _wait_for_request(self) -> None:
        self._request_is_there()
        self._reading = self.loop.call_later(self.client_seconds, self._too_late)

    def _request_is_there(self) -> None:
        if self._reading:
            self._reading.cancel()
            self._reading = None

    def _has_room(self) -> None:
        if self._writing:
            self._writing.cancel()
            self._writing = None

    def _too_late(self) -> None:
        answering = _is_unanswered(self.cycle) and not self.cycle.more_body
        if answering or self.pipeline or self.flow.read_paused:
            # The wait is for us: an earlier request on this connection is being answered, or a body not yet read.
            self._wait_for_request()
        else:
            self.transport.abort()


def connections(client_seconds: float) -> type[Connection]:
    """The class of connections that wait so long, for `uvicorn.Config`'s `http`."""
    return type("Connection", (Connection,), {"client_seconds": client_seconds})


def _is_unanswered(cycle: RequestResponseCycle | None) -> bool:
    return cycle is not None and not cycle.response_complete


def _notice_when_it_is_gone(sock: socket.socket | None) -> None:
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        for level, option, value in _ALIVE:
            sock.setsockopt(level, option, value)
