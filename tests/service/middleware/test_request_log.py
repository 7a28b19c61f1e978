"""One line a request, and its id everywhere."""

import asyncio
import json
import logging
from argparse import Namespace
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from selfjudge_service.api.route import Route
from selfjudge_service.middleware.request_log import RequestLogMiddleware
from selfjudge_service.observability.request_context import engine_id, note, note_text, request_id
from selfjudge_service.protocol.error_handlers import answer_errors
from selfjudge_service.protocol.errors import UnknownModelError
from typing_extensions import override

from tests.service.clients import hang_up, served
from tests.service.fakes import make_world

router = APIRouter(route_class=Route)
started = asyncio.Event()


@router.post("/v1/thing/{what}")
async def thing(what: str, request: Request) -> Response:
    note(model="tuned@1", best_of_n=8)
    if what == "unknown":
        raise UnknownModelError("no such model", "model")
    if what == "bug":
        raise KeyError("a bug")
    if what == "endless":
        started.set()
        await asyncio.Event().wait()
    if what == "text":
        note_text(prompt=[{"role": "user", "content": "hello" * 100}])

    async def chunks() -> AsyncIterator[str]:
        yield "chunk"
        if what == "breaks":
            raise KeyError("a bug")

    if what in ("stream", "breaks"):
        return StreamingResponse(chunks())
    ids = [request_id(), request.headers["x-request-id"], await asyncio.create_task(identify()), engine_id()]
    return Response("\n".join(map(str, ids)))


async def identify() -> str | None:
    return request_id()


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    app.state.args = Namespace(log_error_stack=False)
    answer_errors(app)
    app.add_middleware(RequestLogMiddleware)
    started.clear()
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[list[dict[str, Any]]]:
    """What request lines say, as they come."""
    lines: list[dict[str, Any]] = []

    class Collect(logging.Handler):
        @override
        def emit(self, record: logging.LogRecord) -> None:
            if isinstance(record.msg, dict):
                lines.append({**record.msg, "level": record.levelname})

    logger, handler = logging.getLogger("selfjudge_service.middleware.request_log"), Collect()
    caplog.set_level(logging.DEBUG, logger.name)
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    ("what", "status", "outcome"),
    [
        ("whole", 200, "ok"),
        ("stream", 200, "ok"),
        ("breaks", 500, "server_error"),
        ("unknown", 404, "client_error"),
        ("bug", 500, "server_error"),
    ],
)
async def test_a_request_is_told_once(
    client: httpx.AsyncClient, told: list[dict[str, Any]], what: str, status: int, outcome: str
) -> None:
    await client.post(f"/v1/thing/{what}")
    (line,) = told
    assert line.pop("seconds") >= 0
    assert line == {
        "message": "request",
        "level": "INFO",
        "method": "POST",
        "route": "/v1/thing/{what}",
        "status": status,
        "outcome": outcome,
        "model": "tuned@1",
        "best_of_n": 8,
    }


async def test_an_unexpected_failure_names_the_request_and_nothing_else(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/thing/bug", headers={"X-Request-Id": "mine"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "mine")
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == (500, "InternalServerError")
    assert "mine" in error["message"]
    assert "a bug" not in answer.text


async def test_an_unexpected_failure_costs_a_client_no_later_request(
    app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    """Uvicorn closes a connection unannounced where a failure reaches it, although the client has its answer."""

    def connection(answer: httpx.Response) -> object:
        return answer.extensions["network_stream"].get_extra_info("client_addr")

    async with served(app) as url, httpx.AsyncClient(base_url=url) as client:
        failed, later = [await client.post(f"/v1/thing/{what}") for what in ("bug", "whole")]
        assert (failed.status_code, later.status_code) == (500, 200)
        assert connection(failed) == connection(later)
        # What was begun and can't be finished is cut: else it would look whole.
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/v1/thing/breaks")
    assert "KeyError: 'a bug'" in caplog.text


async def test_a_client_that_hangs_up_is_told_as_such(app: FastAPI, told: list[dict[str, Any]]) -> None:
    hanging: asyncio.Task[object] = asyncio.create_task(hang_up(app, "/v1/thing/endless", b"", asyncio.Future()))
    await started.wait()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    assert [(line["status"], line["outcome"]) for line in told] == [(499, "cancelled")]


async def test_what_is_said_is_told_only_where_a_route_notes_it(
    client: httpx.AsyncClient, told: list[dict[str, Any]]
) -> None:
    await client.post("/v1/thing/text")
    await client.post("/v1/thing/whole", content=b"secret")
    assert told[0]["prompt"] == [{"role": "user", "content": "hello" * 100}]
    assert "secret" not in str(told[1])


@pytest.mark.parametrize("log_prompts", [False, True])
@pytest.mark.parametrize("best_of_n", [1, 2])
async def test_prompts_are_told_where_the_operator_wants_it(
    told: list[dict[str, Any]], *, log_prompts: bool, best_of_n: int
) -> None:
    question = [{"role": "user", "content": [{"type": "text", "text": "Say a secret number."}]}]
    async with make_world(log_prompts=log_prompts).client() as client:
        body = {"messages": question, "best_of_n": best_of_n}
        assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
    assert ("Say a secret number." in json.dumps(told[0], default=str)) is log_prompts
    assert told[0]["best_of_n"] == best_of_n


async def test_probes_are_told_to_who_debugs(client: httpx.AsyncClient, told: list[dict[str, Any]]) -> None:
    await client.get("/ready")
    assert [line["level"] for line in told] == ["DEBUG"]


async def test_what_nobody_routed_is_told_by_its_path(client: httpx.AsyncClient, told: list[dict[str, Any]]) -> None:
    await client.get("/" + "x" * 5000)
    (line,) = told
    assert line["path"] == "/" + "x" * 199
    assert (line["status"], line["outcome"]) == (404, "client_error")


@pytest.mark.parametrize("given", ["abc", "0f8fad5b-d9cb-469f-a165-70867728950e", "a.b:c_d", "x" * 128])
async def test_a_callers_id_is_kept_everywhere(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.post("/v1/thing/whole", headers={"X-Request-Id": given})
    own, seen_by_vllm, in_task, in_engine = answer.text.split("\n")
    assert answer.headers["X-Request-Id"] == own == seen_by_vllm == in_task == given
    assert in_engine.startswith(f"{given}-")


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\tb", "ü", "{}", '"', "a,b"])
async def test_an_id_that_is_not_plain_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.post("/v1/thing/whole", headers=[(b"X-Request-Id", given.encode())])
    own, seen_by_vllm, *_ = answer.text.split("\n")
    assert own != given
    assert len(own) == 32
    assert answer.headers["X-Request-Id"] == own == seen_by_vllm


async def test_refusals_bear_an_id_too(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/thing/unknown")).headers["X-Request-Id"]


async def test_each_request_has_its_own_id(client: httpx.AsyncClient) -> None:
    answers = [await client.post("/v1/thing/whole") for _ in range(3)]
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 3


def test_outside_of_requests_there_is_nothing_to_note() -> None:
    note(model="m")
    note_text(prompt="p")
    assert request_id() is None
    assert engine_id() != engine_id()
