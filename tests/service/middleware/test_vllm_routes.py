"""vLLM's generating routes, stood for by an application that answers with the body and the header that reached it."""

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from selfjudge_service.admission.admission import Admission
from selfjudge_service.admission.queue import Limits
from selfjudge_service.middleware.asgi import GENERATING
from selfjudge_service.middleware.vllm_routes import VllmRoutesMiddleware, weight_of

from tests.service.clients import hang_up
from tests.service.fakes import settle

PATH = "/v1/completions"


def make_app(admission: Admission) -> FastAPI:
    app = FastAPI()
    app.add_middleware(VllmRoutesMiddleware)
    app.state.selfjudge = SimpleNamespace(admission=admission, adapting=None)
    app.state.go_on = asyncio.Event()
    app.state.go_on.set()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def echo(request: Request) -> dict[str, Any]:
        body = await request.body()
        await request.app.state.go_on.wait()
        return {
            "body": body.decode(),
            "priority": request.headers.get("x-vllm-priority"),
            "running": admission.requests,
        }

    return app


@pytest.fixture
def admission() -> Admission:
    return Admission(Limits(candidates=8, waiting=1))


@pytest.fixture
def app(admission: Admission) -> FastAPI:
    return make_app(admission)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


def test_the_routes_are_vllms() -> None:
    from starlette.routing import Route
    from vllm.entrypoints.launchers.app import build_app
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser = make_arg_parser(FlexibleArgumentParser())  # type: ignore[no-untyped-call]  # vLLM's
    app = build_app(parser.parse_args([]), ("generate", "transcription"))
    posts = {route.path for route in app.routes if isinstance(route, Route) and "POST" in (route.methods or ())}
    assert {path for path in GENERATING if not path.startswith("/cohere")} <= posts


@pytest.mark.parametrize("path", sorted(GENERATING))
async def test_a_generating_route_is_admitted_and_leaves(
    path: str, client: httpx.AsyncClient, admission: Admission
) -> None:
    answer = await client.post(path, json={"prompt": "p", "n": 2})
    assert answer.json() == {"body": '{"prompt":"p","n":2}', "priority": None, "running": 1}
    assert admission.requests == 0


async def test_others_pass_a_full_server(client: httpx.AsyncClient, admission: Admission) -> None:
    await admission.enter(8)
    waiting = asyncio.create_task(admission.enter(8))
    await settle()
    assert (await client.post(PATH, json={"prompt": "p"})).status_code == 429
    for answer in (await client.get(PATH), await client.post("/tokenize", json={}), await client.get("/metrics")):
        assert answer.status_code == 200
    waiting.cancel()


@pytest.mark.parametrize(
    ("fields", "headers", "param"), [({"best_of_n": 999}, {}, "best_of_n"), ({}, {"X-Best-Of-N": "2"}, "X-Best-Of-N")]
)
async def test_a_wish_for_selection_is_refused_before_a_place_is_taken(
    fields: dict[str, Any], headers: dict[str, str], param: str, client: httpx.AsyncClient, admission: Admission
) -> None:
    answer = await client.post(PATH, json={"prompt": "p", **fields}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert admission.requests == 0


async def test_a_refusal_has_openais_shape(client: httpx.AsyncClient, admission: Admission) -> None:
    await admission.enter(8)
    waiting = asyncio.create_task(admission.enter(8))
    await settle()
    answer = await client.post(PATH, json={"prompt": "p"})
    assert (answer.json()["error"]["code"], answer.headers["retry-after"]) == (429, "1")
    waiting.cancel()


@pytest.mark.parametrize(
    ("body", "weight"),
    [
        ({"prompt": "p"}, 1),
        ({"prompt": "p", "n": 3}, 3),
        ({"prompt": "p", "n": "3"}, 3),
        ({"prompt": "p", "n": None}, 1),
        ({"prompt": "p", "n": -3}, 1),
        ({"prompt": ["p", "q"], "n": 3}, 6),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": [[1, 2], [3]]}, 2),
        ({"prompt": []}, 1),
        ({"messages": [{"role": "user"}, {"role": "assistant"}]}, 1),
        ({"messages": [[{"role": "user"}], [{"role": "user"}]]}, 2),
        ({"token_ids": [1], "sampling_params": {"n": 4}}, 4),
        ({"query": "q", "items": ["a", "b", "c"]}, 3),
        ({"input": ["a", "b"]}, 1),
    ],
)
def test_a_body_weighs_its_choices_times_its_prompts(body: dict[str, Any], weight: int) -> None:
    assert weight_of(body) == weight


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["n", "prompt", "messages", "items", "sampling_params"]), _JSON))
def test_any_body_has_a_weight(fields: dict[str, Any]) -> None:
    assert weight_of(fields) >= 1


@pytest.mark.parametrize("path", sorted(GENERATING))
@pytest.mark.parametrize("priority", [-1, -(2**63), "-5", -5.0])
async def test_a_priority_above_the_usual_is_lowered(path: str, priority: object, client: httpx.AsyncClient) -> None:
    answer = await client.post(path, json={"prompt": "p", "priority": priority})
    assert json.loads(answer.json()["body"]) == {"prompt": "p", "priority": 0}


@pytest.mark.parametrize("path", [PATH, "/v1/chat/completions", "/anything"])
@pytest.mark.parametrize(("sent", "reached"), [("-7", "0"), ("-9223372036854775808", "0"), ("3", "3"), ("x", "x")])
async def test_so_is_that_of_vllms_header(path: str, sent: str, reached: str, client: httpx.AsyncClient) -> None:
    answer = await client.post(path, json={}, headers={"X-Vllm-Priority": sent})
    assert answer.json()["priority"] == reached


@pytest.mark.parametrize("body", [b'{"prompt": "p", "priority": 3}', b"{", b"[]", b"\xff", b"[" * 100_000])
async def test_other_bodies_reach_vllm_as_they_are(body: bytes, admission: Admission) -> None:
    reached: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI
        reached.append((await receive())["body"])

    state = SimpleNamespace(selfjudge=SimpleNamespace(admission=admission, adapting=None))
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], "app": SimpleNamespace(state=state)}
    messages = [{"type": "http.request", "body": body[:7], "more_body": True}]
    messages.append({"type": "http.request", "body": body[7:], "more_body": False})
    hung_up = asyncio.Event()

    async def receive() -> Any:  # noqa: ANN401  ASGI
        if messages:
            return messages.pop(0)
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401  ASGI
        raise AssertionError(message)

    await VllmRoutesMiddleware(app)(scope, receive, send)
    assert reached == [body]
    assert admission.requests == 0


async def test_a_client_that_hangs_up_while_it_waits_leaves_the_queue(app: FastAPI, admission: Admission) -> None:
    await admission.enter(8)
    assert await hang_up(app, PATH, b'{"prompt": "p"}', settle()) == []
    assert admission.requests == 1
