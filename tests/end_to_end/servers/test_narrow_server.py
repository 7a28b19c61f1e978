"""A server with little room: requests beyond it get 429 with the time to come back, prompts are computed in chunks."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from tests.end_to_end.api.test_metrics import values
from tests.end_to_end.serving import Server, serving

MESSAGES: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Sort these letters: QDBA"}]
KEY = "a-key-that-nobody-sees"
CHUNK = 128


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of which one tournament of 8 takes everything, and where nobody waits."""
    flags = ["--max-candidates", "8", "--max-waiting", "0", "--key-max-requests", "3"]
    flags += ["--max-num-batched-tokens", str(CHUNK), "--max-num-seqs", str(CHUNK)]
    with serving(tmp_path_factory.mktemp("small") / "log", *flags, key=KEY) as running:
        yield running


@contextmanager
def full(server: Server) -> Iterator[None]:
    """A tournament is running: its first bytes have come, and its candidates are of the greatest length."""
    body = {"messages": MESSAGES, "best_of_n": 8, "stream": True, "max_tokens": 900, "ignore_eos": True}
    with server.http() as client, client.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.status_code == httpx.codes.OK
        pieces = answer.iter_bytes()  # forgotten, it would hang up
        next(pieces)
        yield


def ask(client: openai.OpenAI, best_of_n: int = 8) -> str:
    answer = client.chat.completions.create(
        model="selfjudge-tiny", messages=MESSAGES, max_tokens=8, extra_body={"best_of_n": best_of_n}
    )
    return answer.choices[0].message.content or ""


@pytest.mark.slow
def test_a_full_server_says_when_to_come_back(small: Server) -> None:
    with full(small), pytest.raises(openai.RateLimitError) as refused:
        ask(small.client)
    error = json.loads(refused.value.response.text)["error"]
    assert (error["code"], error["type"], error["param"]) == (429, "RateLimitError", None)
    assert 1 <= int(refused.value.response.headers["Retry-After"]) <= 60


@pytest.mark.slow
def test_every_route_that_works_in_the_engine_is_refused_and_no_other(small: Server) -> None:
    pair = {"prompt": "p", "response_a": "a", "response_b": "b"}
    with full(small), small.http() as client:
        refused = [
            client.post("/v1/chat/completions", json={"messages": MESSAGES}),
            client.post("/v1/completions", json={"prompt": "p", "max_tokens": 1}),
            client.post("/judge", json=pair),
            client.post("/v1/rank", json={"prompt": "p", "candidates": ["a", "b"]}),
        ]
        passed = [client.get("/v1/models"), client.get("/metrics"), client.post("/tokenize", json={"prompt": "p"})]
    assert {answer.status_code for answer in refused} == {httpx.codes.TOO_MANY_REQUESTS}
    assert {answer.status_code for answer in passed} == {httpx.codes.OK}


@pytest.mark.slow
def test_the_stock_clients_own_retries_get_in(small: Server) -> None:
    with full(small):
        pass  # its client has hung up: what ran is over, and the rate is known
    with (
        openai.OpenAI(base_url=f"{small.url}/v1", api_key=KEY, max_retries=8) as patient,
        ThreadPoolExecutor(3) as pool,
    ):
        answers = list(pool.map(lambda _: ask(patient), range(3)))
    assert len(answers) == 3


@pytest.mark.slow
def test_when_all_is_over_nothing_is_in_flight_and_no_key_was_told(small: Server) -> None:
    shown = values(small)
    gauges = ("selfjudge_tournaments_running", "selfjudge_candidates_running", "selfjudge_queue_length")
    assert [shown[name] for name in gauges] == [0, 0, 0]
    assert shown["selfjudge_candidates_limit"] == 8
    assert shown["selfjudge_refusals_total"] >= 5
    with small.http() as client:
        assert KEY not in client.get("/metrics").text
    assert KEY not in small.log.read_text()


def test_a_seeded_request_whose_prompt_is_computed_in_chunks_is_answered_and_repeats_itself(small: Server) -> None:
    letters = " ".join("QDBAXYZKLM"[index % 10] for index in range(2 * CHUNK))

    def text(best_of_n: int) -> str:
        answer = small.client.chat.completions.create(
            model=small.model,
            messages=[{"role": "user", "content": letters}],
            seed=7,
            max_tokens=16,
            extra_body={"best_of_n": best_of_n},
        )
        assert answer.usage is not None
        assert answer.usage.prompt_tokens > CHUNK
        return answer.choices[0].message.content or ""

    assert text(1) == text(1)
    assert text(4)
    assert "the engine failed" not in small.log.read_text()
