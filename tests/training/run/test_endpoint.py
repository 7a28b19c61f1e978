"""Requests that are retried, and those that are not."""

import json

import httpx2
import pytest
from selfjudge_training.run.endpoint import RETRIES, Endpoint, EndpointError, TooLongError

from tests.training.evaluation.fakes import endpoint


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was slept between tries, in no time."""
    slept: list[float] = []
    monkeypatch.setattr("openai._base_client.time.sleep", slept.append)
    return slept


def test_a_busy_server_is_asked_again_when_it_says(waits: list[float]) -> None:
    busy = httpx2.Response(429, headers={"Retry-After": "7"})
    answers = [busy, httpx2.Response(503), httpx2.Response(200, json={"ok": 1})]
    assert endpoint(lambda request: answers.pop(0)).post("judge", {}) == {"ok": 1}
    assert waits[0] == 7.0
    assert len(waits) == 2


def test_a_refusal_is_final_and_quoted(waits: list[float]) -> None:
    with pytest.raises(EndpointError, match=r"http://judge.test/v1/judge: answered 400: .*unknown template"):
        endpoint(lambda request: httpx2.Response(400, text="unknown template")).post("judge", {})
    assert waits == []


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 4097 tokens. However, your messages resulted in 8227 tokens.",
        '{"error": {"code": "context_length_exceeded"}}',
        "The input (8227 tokens) is longer than the model's context length (4097 tokens).",
        "the request exceeds the available context size (4097 tokens)",
    ],
)
def test_what_is_longer_than_the_context_is_an_error_of_its_own(said: str) -> None:
    with pytest.raises(TooLongError, match="answered 400"):
        endpoint(lambda _: httpx2.Response(400, text=said)).post("judge", {})
    with pytest.raises(EndpointError) as refusal:
        endpoint(lambda _: httpx2.Response(422, text=said)).post("judge", {})
    assert not isinstance(refusal.value, TooLongError)


def test_a_dead_server_is_given_up_on() -> None:
    tries = []

    def refuse(request: httpx2.Request) -> httpx2.Response:
        tries.append(request)
        raise httpx2.ConnectError("refused")

    with pytest.raises(EndpointError, match="no answer: ConnectError: refused"):
        endpoint(refuse).post("judge", {})
    assert len(tries) == 1 + RETRIES


@pytest.mark.parametrize("answer", [httpx2.Response(200, text="<html>"), httpx2.Response(200, json=[1])])
def test_an_answer_of_another_kind_is_an_error(answer: httpx2.Response) -> None:
    with pytest.raises(EndpointError, match="JSON"):
        endpoint(lambda request: answer).post("judge", {})


def test_answers_come_in_the_order_of_the_requests() -> None:
    server = endpoint(lambda request: httpx2.Response(200, json={"was": json.loads(request.content)["number"]}))
    bodies = [{"number": number} for number in range(30)]
    assert server.post_all("judge", bodies, "asking") == [{"was": number} for number in range(30)]


def test_the_first_failure_ends_a_batch() -> None:
    with pytest.raises(EndpointError, match="404"):
        endpoint(lambda request: httpx2.Response(404)).post_all("judge", [{}] * 20, "asking")


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "open sesame")
    seen = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers["Authorization"])
        return httpx2.Response(200, json={})

    Endpoint("http://judge.test/v1/", "JUDGE_KEY", transport=httpx2.MockTransport(answer)).post("judge", {})
    assert seen == ["Bearer open sesame"]


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    with pytest.raises(EndpointError, match="environment variable JUDGE_KEY"):
        Endpoint("http://judge.test/v1", "JUDGE_KEY")
