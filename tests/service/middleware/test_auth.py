"""API keys."""

from collections.abc import AsyncIterator

import httpx
import pytest
from selfjudge_service.middleware.auth import OPEN_PATHS, ApiKeyMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    response: Response = PlainTextResponse(Request(scope).url.path)
    await response(scope, receive, send)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = ApiKeyMiddleware(echo, ["first-key", "second-key"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("key", ["first-key", "second-key"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_each_key_opens(client: httpx.AsyncClient, scheme: str, key: str) -> None:
    answer = await client.post("/judge", headers={"Authorization": f"{scheme} {key}"})
    assert (answer.status_code, answer.text) == (200, "/judge")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": "first-key"}, 200),
        ({"x-api-key": "wrong"}, 401),
        ({"x-api-key": "first-key", "Authorization": "Basic of-a-proxy"}, 200),
        # Else a caller could bear a key of its own beside a shared one, and be counted as another each time.
        ({"x-api-key": "first-key", "Authorization": "Bearer wrong"}, 401),
    ],
)
async def test_anthropics_clients_bear_theirs_in_another_header(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await client.post("/v1/messages", headers=headers)).status_code == status


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer first-ke",
        "Bearer first-key2",
        "Basic first-key",
        "first-key",
    ],
)
async def test_anything_else_is_refused(client: httpx.AsyncClient, header: str | None) -> None:
    answer = await client.post("/judge", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "AuthenticationError"
    assert "first-key" not in answer.text


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
async def test_probes_and_metrics_are_open(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/metrics/", "/healthy", "/v1/health", "/health/../judge", "/HEALTH", "//health", "/"]
)
async def test_what_merely_resembles_an_open_path_is_guarded(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 401


async def test_open_paths_stay_open_behind_a_prefix() -> None:
    app = ApiKeyMiddleware(echo, ["key"])
    transport = httpx.ASGITransport(app, root_path="/api")
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/api/health")).status_code == 200
        assert (await client.get("/api/judge")).status_code == 401


async def test_a_websocket_without_a_key_is_closed() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("nothing is read from a caller without a key")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/v1/realtime", "headers": []}
    await ApiKeyMiddleware(echo, ["key"])(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_start_up_and_shutdown_pass() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing() -> Message:
        raise AssertionError

    async def drop(message: Message) -> None:
        raise AssertionError(message)

    await ApiKeyMiddleware(app, ["key"])({"type": "lifespan"}, nothing, drop)
    assert seen == ["lifespan"]
