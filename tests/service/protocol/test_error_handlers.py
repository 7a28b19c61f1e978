"""Errors of routes that aren't ours, on an application whose other handlers are vLLM's."""

from argparse import Namespace
from collections.abc import AsyncIterator, Iterable
from copy import deepcopy
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, TypeAdapter, model_validator
from selfjudge_service.middleware.request_log import RequestLogMiddleware
from selfjudge_service.protocol.error_handlers import answer_errors
from typing_extensions import TypedDict
from vllm.entrypoints.serve.exception_handling.register import init_exception_handler
from vllm.exceptions import VLLMValidationError

_DEEP: dict[str, Any] = {}
for _ in range(700):
    _DEEP = {"in": _DEEP}


class Part(TypedDict):
    """A part of a prompt."""

    text: str


class Body(BaseModel):
    """A body with a union and a validator that fails where vLLM's do."""

    prompt: str | list[int] | list[Part] = ""
    options: dict[str, int] | None = None

    @model_validator(mode="before")
    @classmethod
    def _walks_into_options(cls, data: Any) -> Any:  # noqa: ANN401  any JSON
        if isinstance(data, dict) and data.get("options") is not None:
            deepcopy(data["options"].get("a"))
        return data


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.args = Namespace(log_error_stack=False)
    init_exception_handler(app)
    answer_errors(app)
    app.add_middleware(RequestLogMiddleware)

    @app.post("/read")
    async def read(body: Body, top: int = 1) -> int:
        return top

    @app.post("/invoke")
    async def invoke(request: Request) -> str:
        """Reads a body as vLLM's /invocations does."""
        return TypeAdapter(Body).validate_python(await request.json()).model_dump_json()

    @app.post("/late")
    async def late(request: Request) -> int:
        """Reads parts when it uses them, as vLLM does messages."""
        body = await request.json()
        return len(list(TypeAdapter(Iterable[Part]).validate_python(body["messages"][1]["content"])))

    @app.post("/raise/{kind}")
    async def fail(kind: str) -> JSONResponse:
        if kind == "nan":
            return JSONResponse({"logprob": float("nan")})
        raise {
            "value": ValueError("no such choice"),
            "vllm": VLLMValidationError("too hot", parameter="temperature"),
            "http": HTTPException(403, "closed"),
            "attribute": AttributeError("a bug"),
            "key": KeyError("a bug"),
        }[kind]

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def told(answer: httpx.Response) -> tuple[int, str | None, str]:
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    assert "pydantic" not in error["message"]
    return answer.status_code, error["param"], error["message"]


async def test_an_unknown_path_or_method_is_told_in_openais_shape(client: httpx.AsyncClient) -> None:
    assert told(await client.get("/v1/nowhere")) == (404, None, "no such route: GET /v1/nowhere")
    answer = await client.get("/read")
    assert told(answer) == (405, None, "/read takes POST, not GET")
    assert answer.headers["allow"] == "POST"
    assert len((await client.get("/" + "x" * 5000)).text) < 500


@pytest.mark.usefixtures("usual_recursion_limit")
@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({"prompt": 5}, "prompt", "prompt: Input should be a valid string, got 5"),
        ({"prompt": [{}]}, "prompt.0.text", "prompt.0.text: Field required"),
        ({"prompt": [1, "x"]}, "prompt.1", "prompt.1: Input should be a valid integer, unable to parse"),
        ({"options": 5}, "body", "body: a field holds a value of a type that can't be read"),
        ({"options": {"a": _DEEP}}, "body", "body: a field holds a value that is nested too deep"),
        ([1], "body", "body: must be an object"),
    ],
)
async def test_a_wrong_field_is_named_as_it_was_written(
    client: httpx.AsyncClient, body: object, param: str, message: str
) -> None:
    status, field, said = told(await client.post("/read", json=body))
    assert (status, field) == (400, param)
    assert said.startswith(message)


async def test_a_route_may_read_its_body_itself(client: httpx.AsyncClient) -> None:
    status, field, said = told(await client.post("/invoke", json={"options": 5}))
    assert (status, field) == (400, "body")
    assert said.startswith("body: a field holds a value of a type that can't be read")


async def test_a_wrong_query_is_named(client: httpx.AsyncClient) -> None:
    status, field, said = told(await client.post("/read?top=x", json={}))
    assert (status, field) == (400, "top")
    assert said.startswith("top: Input should be a valid integer")


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b'{"prompt": ' + b"9" * 5000 + b"}", b"\xff"])
async def test_what_is_no_json_is_said_to_be_none(client: httpx.AsyncClient, content: bytes) -> None:
    answer = await client.post("/read", content=content, headers={"content-type": "application/json"})
    assert told(answer)[:2] == (400, "body")


async def test_what_is_found_wrong_later_is_named_from_the_top(client: httpx.AsyncClient) -> None:
    body = {"messages": [{"content": []}, {"content": [{"text": "a"}, {"text": 5}]}]}
    message = "messages.1.content.1.text: Input should be a valid string, got 5"
    assert told(await client.post("/late", json=body)) == (400, "messages.1.content.1.text", message)
    body = {"messages": [{"content": []}, {"content": [{"txt": "a"}]}]}
    field = "messages.1.content.0.text"
    assert told(await client.post("/late", json=body)) == (400, field, f"{field}: Field required")


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        ("value", 400, "no such choice"),
        ("vllm", 400, "too hot"),
        ("http", 403, "closed"),
        ("nan", 500, "NaN"),
        ("attribute", 500, "request id"),
        ("key", 500, "request id"),
    ],
)
async def test_only_the_callers_mistakes_are_the_callers(
    client: httpx.AsyncClient, kind: str, status: int, said: str
) -> None:
    code, _, message = told(await client.post(f"/raise/{kind}"))
    assert code == status
    assert said in message
