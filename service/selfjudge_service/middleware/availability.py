"""Refuses requests while the engine is down or the server drains, and keeps count of those under way.

Reading (GET, HEAD, OPTIONS: probes, metrics, lists of models) needs no engine and always passes. Every 503, ours or
vLLM's, gets a Retry-After.
"""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selfjudge_service.engine.status import Status
from selfjudge_service.protocol.errors import UnavailableError, api_error_response

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_UNAVAILABLE = UnavailableError.status.value
_TRY_AGAIN_LATER = 1013  # of WebSockets' close codes


class _Answer:
    """One request's answer on its way out."""

    def __init__(self, send: Send, status: Status) -> None:
        self._send = send
        self._status = status
        self._start: Message | None = None
        self.given_up: UnavailableError | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            if message["status"] == _UNAVAILABLE:
                self._say_when(message)
        await self._send(message)

    async def finish(self, scope: Scope, receive: Receive, reason: UnavailableError) -> None:
        if self._start is None:
            await api_error_response(reason)(scope, receive, self.send)
        elif MutableHeaders(raw=self._start["headers"]).get("content-type", "").startswith("text/event-stream"):
            event = f"data: {json.dumps(reason.body())}\n\ndata: [DONE]\n\n"
            await self._send({"type": "http.response.body", "body": event.encode()})

    def _say_when(self, start: MutableMapping[str, Any]) -> None:
        headers = MutableHeaders(scope=start)
        # A failure that has just been met may not have been found by the supervisor yet.
        now = self._status.refusal() or UnavailableError("", 1)
        for name, value in now.headers.items():
            headers.setdefault(name, value)
        if self._status.draining:
            headers["Connection"] = "close"


class UnderWay:
    """Requests that were let in and are not answered yet."""

    def __init__(self) -> None:
        self._requests: dict[asyncio.Task[Any], _Answer] = {}
        self._none = asyncio.Event()
        self._none.set()

    def __len__(self) -> int:
        return len(self._requests)

    async def finished(self) -> None:
        """Returns when there are none."""
        await self._none.wait()

    def give_up(self, reason: UnavailableError) -> None:
        """Ends them all: each is answered with the reason, or its stream ends with it as its last event."""
        for task, answer in self._requests.items():
            answer.given_up = reason
            task.cancel()

    async def run(self, work: ASGIApp, scope: Scope, receive: Receive, answer: _Answer) -> None:
        """Does the work of one request, in the current task."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a coroutine that runs has one
        self._requests[task] = answer
        self._none.clear()
        try:
            await work(scope, receive, answer.send)
        except asyncio.CancelledError:
            if answer.given_up is None:
                raise
            task.uncancel()
            await answer.finish(scope, receive, answer.given_up)
        finally:
            del self._requests[task]
            if not self._requests:
                self._none.set()


class AvailabilityMiddleware:
    """ASGI middleware, inside of those that authenticate and log.

    Args:
        app: the application.
        status: whether requests can be answered.
        under_way: told of every request that is let in.
    """

    def __init__(self, app: ASGIApp, status: Status, under_way: UnderWay) -> None:
        self.app = app
        self._status = status
        self._under_way = under_way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry point."""
        refusal = self._status.refusal()
        if scope["type"] == "websocket" and refusal:
            await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER})
        elif scope["type"] != "http" or scope["method"] in _READING:
            await self.app(scope, receive, send)
        else:
            answer = _Answer(send, self._status)
            if refusal:
                await api_error_response(refusal)(scope, receive, answer.send)
            else:
                await self._under_way.run(self.app, scope, receive, answer)
