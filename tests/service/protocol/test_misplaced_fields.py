"""Fields of ours on routes that select nothing, misspelt, or one level off."""

import time
from typing import Any

import pytest
from selfjudge_service.middleware.asgi import GENERATING
from selfjudge_service.protocol.errors import ApiError
from selfjudge_service.protocol.misplaced_fields import refuse_without_selection
from starlette.datastructures import Headers

from tests.service.fakes import MODEL, QUESTION, make_world

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("path", sorted(GENERATING))
@pytest.mark.parametrize(
    ("fields", "headers", "param"),
    [
        ({"best_of_n": 999}, {}, "best_of_n"),
        ({"best_of_n": "x"}, {}, "best_of_n"),
        ({"self_rejection": {}}, {}, "self_rejection"),
        ({}, {"x-best-of-n": "8"}, "X-Best-Of-N"),
        ({}, {"best-of-n": "8"}, "best-of-n"),
        ({"bestOfN": 8}, {}, "bestOfN"),
        ({"extra_body": {"best_of_n": 8}}, {}, "extra_body.best_of_n"),
        ({"sampling_params": {"best_of_n": 8}}, {}, "sampling_params.best_of_n"),
    ],
)
def test_where_nothing_is_selected_the_wish_for_it_is_refused(
    path: str, fields: dict[str, Any], headers: dict[str, str], param: str
) -> None:
    with pytest.raises(ApiError) as caught:
        refuse_without_selection(path, fields, Headers(headers))
    assert (caught.value.param, caught.value.status) == (param, 400)
    if param.lower() in ("best_of_n", "x-best-of-n"):
        assert caught.value.message == f"{param}: works on POST {CHAT} alone, not on {path}"


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "p", "n": 2, "best_of": 2},
        {"best_of_n": None, "self_rejection": None, "bestOfN": None},
        {"metadata": {"best_of_n": "8"}, "tools": [{"best_of_n": 8}], "extra_body": 5},
        {"prompt": "best_of_n"},
    ],
)
def test_what_is_not_ours_passes(fields: dict[str, Any]) -> None:
    refuse_without_selection("/v1/completions", fields, Headers({"x-best": "1", "x-vllm-priority": "3"}))


def test_a_great_many_fields_take_no_time() -> None:
    fields = {f"best{number}": 1 for number in range(300_000)}
    started = time.process_time()
    refuse_without_selection("/v1/completions", fields, Headers())
    assert time.process_time() - started < 0.2


@pytest.mark.parametrize(
    ("change", "param", "said"),
    [
        ({"bestofn": 8}, "bestofn", "did you mean best_of_n?"),
        ({"best-of-n": 8}, "best-of-n", "did you mean best_of_n?"),
        ({"bestOfN": 8}, "bestOfN", "did you mean best_of_n?"),
        ({"best_of": 8}, "best_of", "did you mean best_of_n?"),
        ({"best_of_m": 8}, "best_of_m", "did you mean best_of_n?"),
        ({"self_rejecton": {}}, "self_rejecton", "did you mean self_rejection?"),
        ({"selfRejection": {}}, "selfRejection", "did you mean self_rejection?"),
        ({"template": "ultrafeedback"}, "template", "inside of self_rejection"),
        ({"principles": ["honesty"]}, "principles", "inside of self_rejection"),
        ({"judge": "policy"}, "judge", "inside of self_rejection"),
        ({"include": ["bracket"]}, "include", "inside of self_rejection"),
        ({"deadline_ms": 5}, "deadline_ms", "inside of self_rejection"),
        ({"extra_body": {"best_of_n": 8}}, "extra_body.best_of_n", "top level"),
        ({"vllm_xargs": {"best_of_n": 8}}, "vllm_xargs.best_of_n", "top level"),
        ({"self_rejection": {"seed": 1}}, "self_rejection", "set best_of_n to 2 or more"),
        ({"self_rejection": {}, "best_of_n": 1}, "self_rejection", "set best_of_n to 2 or more"),
        ({"self_rejection": {}, "n": 2}, "self_rejection", "set best_of_n to 2 or more"),
    ],
)
async def test_in_chat_a_field_is_where_it_works_or_refused(change: dict[str, Any], param: str, said: str) -> None:
    async with make_world().client() as client:
        answer = await client.post(CHAT, json={"model": MODEL, "messages": QUESTION, **change})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert answer.json()["error"]["message"].startswith(f"{param}: ")
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["X-BestOfN", "Best-Of-N", "X-Best_Of_N", "BestOfN"])
async def test_a_misspelt_header_is_refused(name: str) -> None:
    async with make_world().client() as client:
        answer = await client.post(CHAT, json={"model": MODEL, "messages": QUESTION}, headers={name: "4"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, name.lower())


async def test_options_count_where_the_header_or_the_server_selects() -> None:
    body = {"model": MODEL, "messages": QUESTION, "self_rejection": {"seed": 1}, "unheard_of": 1, "best_of_n": None}
    async with make_world().client() as client:
        assert (await client.post(CHAT, json=body, headers={"X-Best-Of-N": "2"})).status_code == 200
    async with make_world(default_best_of_n=2).client() as client:
        assert (await client.post(CHAT, json=body)).status_code == 200
