"""The plugin inside a real build of vLLM's application, without an engine."""

from argparse import Namespace
from collections.abc import AsyncIterator, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from selfjudge_service.api import chat_route, judge_route, rank_route
from selfjudge_service.middleware.auth import OPEN_PATHS
from selfjudge_service.plugin import SelfJudgePlugin
from starlette.datastructures import State
from starlette.routing import Mount, Route, WebSocketRoute
from vllm.entrypoints.launchers.app import build_app
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.envs import disable_envs_cache
from vllm.utils.argparse_utils import FlexibleArgumentParser

from selfjudge import SelfJudgeError
from tests.service.fakes import as_engine, make_world, settle


@cache
def options() -> Namespace:
    parser = make_arg_parser(FlexibleArgumentParser())  # type: ignore[no-untyped-call]  # vLLM's
    parsed: Namespace = parser.parse_args([])
    return parsed


def build(monkeypatch: pytest.MonkeyPatch, **environment: str) -> FastAPI:
    for name, value in {"VLLM_PLUGINS": "selfjudge", **environment}.items():
        monkeypatch.setenv(name, value)
    disable_envs_cache()  # an engine started in this process by another test has vLLM read the environment no more
    return build_app(options(), ("generate",))


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in app.routes:
        assert isinstance(route, Route | WebSocketRoute | Mount), route
        methods = (route.methods or set()) if isinstance(route, Route) else {"GET"}
        yield from ((method, route.path) for method in methods)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    return build(monkeypatch, SELFJUDGE_API_KEYS="the-key")


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def test_a_stock_server_gets_our_routes_in_place_of_its_own(app: FastAPI) -> None:
    ours = [route for route in app.routes if isinstance(route, Route)]
    found = {(method, route.path): route.endpoint for route in ours for method in route.methods or ()}
    assert found["POST", "/v1/chat/completions"] is chat_route.chat_completions
    assert found["POST", "/judge"] is found["POST", "/v1/judge"] is judge_route.judge
    assert found["POST", "/v1/rank"] is rank_route.rank
    assert [route.path for route in ours].count("/v1/chat/completions") == 1
    assert ("POST", "/v1/completions") in found


async def test_every_route_needs_the_key_but_the_open_ones(app: FastAPI, client: httpx.AsyncClient) -> None:
    asked = 0
    for method, path in routes(app):
        if path not in OPEN_PATHS:
            asked += 1
            answer = await client.request(method, path.replace("{response_id}", "x"))
            assert answer.status_code == 401, f"{method} {path}"
            if method != "HEAD":
                assert answer.json()["error"]["type"] == "AuthenticationError"
    assert asked > 20
    assert (await client.get("/not/there")).status_code == 401


async def test_metrics_are_open_and_hold_ours(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert "selfjudge_requests_total" in answer.text


async def test_ready_says_whether_the_judge_is_warm(app: FastAPI, client: httpx.AsyncClient) -> None:
    app.state.engine_client = Engine()
    assert (await client.get("/ready")).status_code == 503
    app.state.selfjudge = make_world().state
    answer = await client.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "failing": []})


async def test_ready_names_work_beside_requests_that_fails(app: FastAPI, client: httpx.AsyncClient) -> None:
    async def fail() -> bool:
        raise OSError("stale file handle")

    app.state.engine_client, app.state.selfjudge = Engine(), make_world().state
    app.state.background.every(1, "follow", fail)
    await settle()
    answer = await client.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "failing": ["follow"]})
    app.state.background.stop()


async def test_the_key_opens(client: httpx.AsyncClient) -> None:
    answer = await client.get("/version", headers={"Authorization": "Bearer the-key"})
    assert answer.status_code == 200


@pytest.mark.parametrize("variable", ["SELFJUDGE_API_KEYS", "VLLM_API_KEY"])
async def test_keys_come_from_our_settings_or_vllms(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    app = build(monkeypatch, **{variable: "the-key"})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/version")).status_code == 401
        assert (await client.get("/version", headers={"Authorization": "Bearer the-key"})).status_code == 200


async def test_without_keys_the_server_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    app = build(monkeypatch)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/version")).status_code == 200


async def test_bodies_are_limited_for_vllms_routes_too(client: httpx.AsyncClient) -> None:
    headers = {"Authorization": "Bearer the-key", "Content-Type": "application/json"}
    answer = await client.post("/v1/completions", content=b" " * (9 * 2**20), headers=headers)
    assert answer.status_code == 413


class Engine:
    """As much of an engine client as the plugin looks at before the first read, which fails."""

    def __init__(self, tokenizer: object = None) -> None:
        self.renderer = SimpleNamespace(tokenizer=tokenizer)
        self.model_config = SimpleNamespace(max_model_len=4096, get_diff_sampling_param=dict[str, Any])
        self.vllm_config = SimpleNamespace(scheduler_config=SimpleNamespace(policy="priority"))

    async def check_health(self) -> None:
        """Nothing is wrong."""


class NoBackend:
    """A tokenizer without the tokenizers library."""

    name_or_path = "slow"


async def test_a_model_that_can_not_judge_stops_the_start() -> None:
    state = State({"openai_serving_chat": SimpleNamespace(chat_template=None, default_chat_template_kwargs={})})
    with pytest.raises(SelfJudgeError, match=r"'slow'.* has no backend"):
        await SelfJudgePlugin().init_state(as_engine(Engine(NoBackend())), state, Namespace())


async def test_without_an_engine_it_says_so() -> None:
    with pytest.raises(RuntimeError, match="needs an engine"):
        await SelfJudgePlugin().init_state(None, State(), Namespace())
