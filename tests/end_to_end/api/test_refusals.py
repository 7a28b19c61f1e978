"""Bad input on the real server: a 4xx in OpenAI's shape that names the field, and never a 5xx."""

import re
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from tests.end_to_end.serving import Server

MESSAGES: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Sort these letters: QDBA"}]

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"best_of_n": 65}, "best_of_n"),
        ({"best_of_n": 1.5}, "best_of_n"),
        ({"best_of_n": 2, "n": 3}, "n"),
        ({"messages": []}, "messages"),
        ({"best_of_n": 2, "self_rejection": {"principles": ["beauty"]}}, "self_rejection.principles"),
        ({"best_of_n": 2, "self_rejection": {"tempalte": "x"}}, "self_rejection.tempalte"),
        ({"best_of_n": 2, "use_beam_search": True}, "use_beam_search"),
    ],
)
def test_a_wrong_field_is_named(server: Server, change: dict[str, Any], param: str) -> None:
    with server.http() as client:
        answer = client.post(CHAT, json={"messages": MESSAGES, **change})
    assert answer.status_code == httpx.codes.BAD_REQUEST
    error = answer.json()["error"]
    assert error["param"] == param
    assert error["message"]
    assert error["type"] == "BadRequestError"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", {"prompt": "Sort these letters: QDBA"}),
        ("/v1/responses", {"input": "Sort these letters: QDBA"}),
        ("/v1/messages", {"model": "selfjudge-tiny", "messages": MESSAGES, "max_tokens": 4}),
        ("/v1/chat/completions/batch", {"messages": [MESSAGES]}),
        ("/invocations", {"messages": MESSAGES}),
    ],
)
def test_selection_is_not_ignored_where_there_is_none(server: Server, path: str, body: dict[str, Any]) -> None:
    with server.http() as client:
        by_field = client.post(path, json={**body, "best_of_n": 4})
        by_header = client.post(path, json=body, headers={"X-Best-Of-N": "4"})
        plain = client.post(path, json=body)
    for answer, param in ((by_field, "best_of_n"), (by_header, "X-Best-Of-N")):
        assert answer.status_code == httpx.codes.BAD_REQUEST
        assert answer.json()["error"]["param"] == param
        assert CHAT in answer.json()["error"]["message"]
    assert plain.status_code == httpx.codes.OK


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_longer_than_the_context_is_refused(server: Server, *, stream: bool) -> None:
    body = {"messages": [{"role": "user", "content": "7" * 5000}], "best_of_n": 4, "stream": stream}
    with server.http() as client:
        answer = client.post(CHAT, json=body)
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert "context" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 3},
        {"max_tokens": 0},
        {"stop": [""]},
        {"top_p": 0},
        {"min_tokens": 9, "max_tokens": 3},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required", "stop": [""]},
    ],
)
def test_what_vllm_refuses_before_a_stream_is_refused_before_ours(server: Server, options: dict[str, Any]) -> None:
    body = {"messages": MESSAGES, "stream": True, **options}
    with server.http() as client:
        plain, ours = (client.post(CHAT, json=body | {"best_of_n": best_of_n}) for best_of_n in (1, 4))
    assert (ours.status_code, ours.json()) == (plain.status_code, plain.json())
    assert plain.status_code == httpx.codes.BAD_REQUEST


def test_an_unknown_model_is_not_found(server: Server) -> None:
    with pytest.raises(openai.NotFoundError):
        server.client.chat.completions.create(model="nobody", messages=MESSAGES, extra_body={"best_of_n": 2})
    with server.http() as client:
        answer = client.post("/judge", json={"model": "nobody", "prompt": "p", "response_a": "a", "response_b": "b"})
    assert answer.status_code == httpx.codes.NOT_FOUND
    assert "selfjudge-tiny" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/completions", {"prompt": 5}, "prompt"),
        ("/v1/completions", {"prompt": "a", "max_tokens": "x"}, "max_tokens"),
        ("/v1/completions", {"prompt": "a", "structured_outputs": 5}, "body"),
        ("/v1/responses", {"input": 5}, "input"),
        ("/v1/responses", {"input": [{"role": "user"}]}, "input.0.content"),
        ("/v1/messages", {"model": "m", "messages": [], "max_tokens": "x"}, "max_tokens"),
        ("/v1/chat/completions/batch", {"messages": [5]}, "messages.0"),
        ("/tokenize", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
        ("/detokenize", {"tokens": ["x"]}, "tokens.0"),
        ("/invocations", {"messages": MESSAGES, "structured_outputs": 5}, "body"),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0"),
        (CHAT, {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]}, None),
    ],
)
def test_a_field_has_the_name_that_the_caller_gave_it(
    server: Server, path: str, body: dict[str, Any], param: str | None
) -> None:
    with server.http() as client:
        answer = client.post(path, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (httpx.codes.BAD_REQUEST, httpx.codes.BAD_REQUEST)
    assert param is None or error["param"] == param
    assert not re.search(r"pydantic|Iterator|'loc'|body\.|function-", answer.text), answer.text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/no", 404), ("GET", CHAT, 405), ("PUT", "/", 404)])
def test_an_unknown_route_has_openais_shape(server: Server, method: str, path: str, status: int) -> None:
    with server.http() as client:
        answer = client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)
    assert f"{method}" in answer.json()["error"]["message"]


def test_a_model_is_found_by_its_name(server: Server) -> None:
    assert server.client.models.retrieve("selfjudge-tiny").id == "selfjudge-tiny"
    assert [model.id for model in server.client.models.list()] == ["selfjudge-tiny"]
    with pytest.raises(openai.NotFoundError, match="must be one of selfjudge-tiny"):
        server.client.models.retrieve("some/other")


def test_only_the_probes_and_metrics_are_open(server: Server) -> None:
    with httpx.Client(base_url=server.url) as anybody:
        assert [anybody.get(path).status_code for path in ("/health", "/ready", "/metrics")] == [200, 200, 200]
        guarded = [anybody.post("/judge", json={}), anybody.get("/v1/models"), anybody.get("/openapi.json")]
        guarded += [anybody.post("/tokenize", json={}), anybody.post(CHAT, json={}), anybody.get("/version")]
    assert {answer.status_code for answer in guarded} == {httpx.codes.UNAUTHORIZED}
    assert {answer.json()["error"]["type"] for answer in guarded} == {"AuthenticationError"}


def test_a_key_opens_as_anthropics_clients_send_it(server: Server) -> None:
    body = {"model": server.model, "messages": MESSAGES, "max_tokens": 4}
    with httpx.Client(base_url=server.url) as client:
        assert client.post("/v1/messages", json=body, headers={"x-api-key": server.key}).status_code == httpx.codes.OK
