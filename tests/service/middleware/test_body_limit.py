"""Bodies within and beyond the limit."""

from collections.abc import AsyncIterator

import httpx
import pytest
from selfjudge_service.middleware.body_limit import BodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

LIMIT = 1000


class Counter:
    """An application that reads the whole body and answers with its length."""

    calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        body = await Request(scope, receive).body()
        await PlainTextResponse(str(len(body)))(scope, receive, send)


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
async def client(counter: Counter) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(BodyLimitMiddleware(counter, LIMIT))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def pieces(total: int, size: int = 100) -> AsyncIterator[bytes]:
    for _ in range(total // size):
        yield b"x" * size


@pytest.mark.parametrize("length", [0, 1, LIMIT])
async def test_bodies_up_to_the_limit_pass(client: httpx.AsyncClient, length: int) -> None:
    assert (await client.post("/", content=b"x" * length)).text == str(length)


async def test_a_longer_body_is_refused_by_its_declared_length(client: httpx.AsyncClient, counter: Counter) -> None:
    answer = await client.post("/", content=b"x" * (LIMIT + 1))
    assert (answer.status_code, counter.calls) == (413, 0)
    assert answer.json()["error"]["message"] == "the request body may be at most 1000 bytes long"


async def test_a_chunked_body_up_to_the_limit_arrives_whole(client: httpx.AsyncClient) -> None:
    assert (await client.post("/", content=pieces(LIMIT))).text == str(LIMIT)


async def test_a_chunked_body_beyond_it_is_refused_before_all_of_it_is_read(
    client: httpx.AsyncClient, counter: Counter
) -> None:
    drawn = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal drawn
        while drawn < 100:
            drawn += 1
            yield b"x" * 100

    answer = await client.post("/", content=endless())
    assert (answer.status_code, counter.calls) == (413, 0)
    assert drawn <= LIMIT / 100 + 2


async def test_a_hang_up_in_the_middle_of_a_chunked_body_is_answered_by_nobody(counter: Counter) -> None:
    incoming: list[Message] = [
        {"type": "http.request", "body": b"x", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "headers": [(b"transfer-encoding", b"chunked")]}
    await BodyLimitMiddleware(counter, LIMIT)(scope, receive, send)
    assert counter.calls == 0
