"""Policies on vLLM's generating routes, stood for by an application that answers with the body that reached it.

As those do, it ends when its client hangs up.
"""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from selfjudge_service.adapters.registry import Key
from selfjudge_service.middleware.vllm_routes import VllmRoutesMiddleware
from vllm.entrypoints.serve.utils.api_utils import with_cancellation

from tests.service.adapters.files import publish
from tests.service.api.test_adapter_routes import Adapted, make_adapted
from tests.service.clients import hang_up
from tests.service.fakes import settle

PATH = "/v1/completions"


@pytest.fixture
async def adapted(tmp_path: Path) -> Adapted:
    adapted = make_adapted(tmp_path)
    await adapted.replica.changes.activate("chat", adapted.versions[0])
    return adapted


@pytest.fixture
def app(adapted: Adapted) -> FastAPI:
    app = FastAPI()
    app.add_middleware(VllmRoutesMiddleware)
    app.state.selfjudge = adapted.world.state
    app.state.asked, app.state.go_on = asyncio.Event(), asyncio.Event()
    app.state.go_on.set()

    @app.post("/{path:path}", response_model=None)
    @with_cancellation  # type: ignore[untyped-decorator]  # vLLM leaves it untyped
    async def echo(body: Annotated[bytes, Depends(body_of)], raw_request: Request) -> dict[str, Any]:
        raw_request.app.state.asked.set()
        await raw_request.app.state.go_on.wait()
        return {"body": body.decode()}

    return app


async def body_of(request: Request) -> bytes:
    return await request.body()


async def post(app: FastAPI, path: str = PATH, **body: object) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.post(path, json=body)


async def test_a_policy_becomes_a_version_and_the_answer_says_so(app: FastAPI, adapted: Adapted) -> None:
    answer = await post(app, model="chat", prompt="?", best="é")
    name = f"chat@{adapted.versions[0]}"
    assert json.loads(answer.json()["body"]) == {"model": name, "prompt": "?", "best": "é"}
    assert answer.headers["x-selfjudge-version"] == name


async def test_other_bodies_and_routes_are_left_alone(app: FastAPI) -> None:
    for body in (b'{"model": "tiny",  "prompt": "?"}', b"no JSON", b"[1]", b'{"model": 1}', b""):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            answer = await client.post(PATH, content=body)
        assert answer.json()["body"].encode() == body
        assert answer.headers["x-selfjudge-version"] == "tiny"
    other = await post(app, "/tokenize", model="chat")
    assert (json.loads(other.json()["body"]), "x-selfjudge-version" in other.headers) == ({"model": "chat"}, False)


async def test_a_model_that_nobody_serves_is_not_named(app: FastAPI) -> None:
    assert "x-selfjudge-version" not in (await post(app, model="模型")).headers


async def test_a_version_that_is_not_loaded_is_an_unknown_model(app: FastAPI, adapted: Adapted) -> None:
    answer = await post(app, model=f"chat@{adapted.versions[1]}")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "NotFoundError")


async def test_users_stay_with_a_canary(app: FastAPI, adapted: Adapted) -> None:
    canary = publish(adapted.replica.store, "chat", 3).version
    await adapted.replica.changes.set_canary("chat", canary, 0.5)
    for user in map(str, range(8)):
        answer = await post(app, model="chat", user=user)
        assert answer.headers["x-selfjudge-version"] == str(adapted.replica.adapters.find("chat", user))


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_a_request_holds_its_version(app: FastAPI, adapted: Adapted, hangs_up: bool) -> None:
    key, leave = Key("chat", adapted.versions[0]), asyncio.Event()
    app.state.go_on.clear()
    asking = asyncio.create_task(
        hang_up(app, PATH, b'{"model": "chat"}', leave.wait()) if hangs_up else post(app, model="chat")
    )
    await app.state.asked.wait()
    await settle()
    assert adapted.replica.adapters.in_flight(key) == 1
    (leave if hangs_up else app.state.go_on).set()
    await asking
    await settle()
    assert adapted.replica.adapters.in_flight(key) == 0
