"""A small application behind the gate: a slow answer, a stream, one that is refused by itself, and a list."""

import asyncio
from collections.abc import AsyncIterator

import httpx
from selfjudge_service.engine.status import Status
from selfjudge_service.middleware.availability import AvailabilityMiddleware, UnderWay
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route


class World:
    """The application, what guards it, and a way to let work finish."""

    def __init__(self) -> None:
        self.status = Status()
        self.status.engine_is_up()
        self.under_way = UnderWay()
        self.done = asyncio.Event()
        self.cancelled = 0
        routes = [
            Route("/slow", self._slow, methods=["POST"]),
            Route("/stream", self._stream, methods=["POST"]),
            Route("/busy", self._busy, methods=["POST"]),
            Route("/list", self._list),
        ]
        gate = Middleware(AvailabilityMiddleware, status=self.status, under_way=self.under_way)
        transport = httpx.ASGITransport(Starlette(routes=routes, middleware=[gate]))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://test")

    def post(self, path: str) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(self._client.post(path))

    async def get(self, path: str) -> httpx.Response:
        return await self._client.get(path)

    async def _slow(self, _request: Request) -> Response:
        try:
            await self.done.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return PlainTextResponse("slow")

    async def _stream(self, _request: Request) -> Response:
        async def events() -> AsyncIterator[str]:
            yield "data: one\n\n"
            await self.done.wait()
            yield "data: two\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async def _busy(self, _request: Request) -> Response:
        return Response(status_code=503)

    async def _list(self, _request: Request) -> Response:
        return PlainTextResponse("list")
