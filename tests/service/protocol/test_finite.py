"""What JSON has not, in answers of any route."""

import math
from argparse import Namespace
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from selfjudge_service.protocol.errors import NotFiniteError
from selfjudge_service.protocol.finite import dumps, handle_value_error


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Of an application whose routes are another's, such as vLLM's."""
    app = FastAPI()
    app.state.args = Namespace(log_error_stack=False)
    app.add_exception_handler(ValueError, handle_value_error)

    @app.get("/nan")
    async def nan() -> JSONResponse:
        return JSONResponse({"logprobs": [math.nan]})

    @app.get("/wrong")
    async def wrong() -> None:
        raise ValueError("the caller's")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_nan_is_the_servers_and_other_values_are_the_callers(client: httpx.AsyncClient) -> None:
    nan, wrong = await client.get("/nan"), await client.get("/wrong")
    assert (nan.status_code, nan.json()["error"]["type"]) == (500, "InternalServerError")
    assert "weights" in nan.json()["error"]["message"]
    assert (wrong.status_code, wrong.json()["error"]["message"]) == (400, "the caller's")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_json_is_made_of_it(number: float) -> None:
    with pytest.raises(NotFiniteError):
        dumps({"a": [number]})


def test_other_things_become_json() -> None:
    assert dumps({"a": [1.5, None, "é"]}) == '{"a":[1.5,null,"é"]}'
