"""Our class of routes, over endpoints that end in every way."""

import asyncio
import json
from argparse import Namespace
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from selfjudge_service.api.route import Route, counting_of
from selfjudge_service.observability.metrics import CLIENT_CLOSED_REQUEST, outcome_of
from selfjudge_service.protocol.error_handlers import answer_errors
from selfjudge_service.protocol.errors import UnknownModelError
from selfjudge_service.protocol.requests import JudgeRequest
from vllm.entrypoints.serve.exception_handling.register import init_exception_handler

from tests.service.clients import hang_up
from tests.service.conftest import Counter

router = APIRouter(route_class=Route)
started = asyncio.Event()


@router.post("/whole/{what}")
async def whole(what: str, body: JudgeRequest) -> Response:
    if what == "unknown":
        raise UnknownModelError("no such model", "model")
    if what == "nan":
        raise ValueError("logprobs must be numbers")
    status = {"ok": 200, "refused": 404, "broken": 503, "gone": CLIENT_CLOSED_REQUEST}[what]
    return JSONResponse({"prompt": body.prompt}, status)


@router.post("/stream/{what}")
async def stream(what: str, request: Request) -> Response:
    async def chunks() -> AsyncIterator[str]:
        yield "first "
        if what == "refused":
            counting_of(request).outcome = "client_error"
        if what == "breaks":
            raise KeyError("a bug")
        if what == "endless":
            started.set()
            await asyncio.Event().wait()
        yield "last"

    return StreamingResponse(chunks())


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    app.state.args = Namespace(log_error_stack=False)
    init_exception_handler(app)
    answer_errors(app)
    started.clear()
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


PAIR = {"prompt": "p", "response_a": "a", "response_b": "b"}


@pytest.mark.parametrize(
    ("what", "outcome"),
    [
        ("ok", "ok"),
        ("refused", "client_error"),
        ("unknown", "client_error"),
        ("broken", "server_error"),
        ("nan", "server_error"),
        ("gone", "cancelled"),
    ],
)
async def test_a_whole_answer_is_counted_once_by_its_status(
    client: httpx.AsyncClient, counted: Counter, what: str, outcome: str
) -> None:
    answer = await client.post(f"/whole/{what}", json=PAIR)
    assert outcome_of(answer.status_code) == outcome
    assert counted("selfjudge_requests_total", route="/whole/{what}", outcome=outcome) == 1
    assert counted("selfjudge_requests_total") == 1


@pytest.mark.parametrize("body", ["{", "[]", "null", "7", b"\xff\xfe", '{"prompt": 1}', "[" * 100_000, "9" * 5000, ""])
async def test_what_can_not_be_read_is_refused_in_openais_shape_and_counted(
    client: httpx.AsyncClient, counted: Counter, body: str | bytes
) -> None:
    answer = await client.post("/whole/ok", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert counted("selfjudge_requests_total", outcome="client_error") == 1
    assert counted("selfjudge_requests_total") == 1


@pytest.mark.parametrize(("what", "outcome"), [("ok", "ok"), ("refused", "client_error"), ("breaks", "server_error")])
async def test_a_stream_is_counted_once_when_it_ends(
    client: httpx.AsyncClient, counted: Counter, what: str, outcome: str
) -> None:
    await client.post(f"/stream/{what}")
    assert counted("selfjudge_requests_total", outcome=outcome) == 1
    assert counted("selfjudge_requests_total") == 1


async def test_a_stream_passes_unchanged(client: httpx.AsyncClient) -> None:
    assert (await client.post("/stream/ok")).text == "first last"


async def test_a_stream_whose_reader_hangs_up_is_cancelled(app: FastAPI, counted: Counter) -> None:
    await hang_up(app, "/stream/endless", json.dumps({}).encode(), started.wait())
    assert counted("selfjudge_requests_total", outcome="cancelled") == 1
    assert counted("selfjudge_requests_total") == 1
