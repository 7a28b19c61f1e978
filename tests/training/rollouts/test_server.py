"""What a server is asked for, and what is made of its answers, whole or wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import PromptError, Sampling, encode_prompts
from selfjudge_training.rollouts.server import READS, ServerRollOuts
from selfjudge_training.run.endpoint import Endpoint, EndpointError
from selfjudge_training.seeds import seed_of
from transformers import PreTrainedTokenizerBase

from selfjudge import ChoiceTokens, Reading, ReadingError
from selfjudge.adapters import Manifest, Store, read_base
from tests.training.rollouts.conftest import SHIPPED

PLAIN = Sampling(temperature=0.7, top_p=0.9, max_new_tokens=12)
CHOICE = ChoiceTokens(40, 41)


class Server:
    """Answers as vLLM does, each sample its own number and seed, each read the length of its prompt."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.activated: list[str] = []
        self.spoil: Callable[[dict[str, Any]], None] = lambda answer: None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/models":
            cards = [{"id": "chat", "parent": "base"}, {"id": "base", "parent": None, "max_model_len": 64}]
            return httpx2.Response(200, json={"data": cards})
        body = json.loads(request.content)
        if request.url.path == "/v1/adapters/chat/activate":
            self.activated.append(body["version"])
            return httpx2.Response(200, json={"policy": "chat", "active": body["version"]})
        assert request.url.path == "/v1/completions"
        self.asked.append(body)
        choices = self._reads(body) if "logprob_token_ids" in body else self._samples(body)
        answer = {"model": body["model"], "choices": choices[::-1]}
        self.spoil(answer)
        return httpx2.Response(200, text=json.dumps(answer), headers={"Content-Type": "application/json"})

    @staticmethod
    def _samples(body: dict[str, Any]) -> list[dict[str, Any]]:
        ends = body["stop_token_ids"]
        return [
            {"index": n, "token_ids": [20 + n, 20 + body["seed"] % 97, *([] if n else ends[:1])], "logprobs": None}
            for n in range(body["n"])
        ]

    @staticmethod
    def _reads(body: dict[str, Any]) -> list[dict[str, Any]]:
        a, b = body["logprob_token_ids"]
        return [
            {
                "index": n,
                "token_ids": [a],
                "logprobs": {"top_logprobs": [{f"token_id:{a}": -float(len(ids)), f"token_id:{b}": -100.0}]},
            }
            for n, ids in enumerate(body["prompt"])
        ]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def rollouts(server: Server, tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> ServerRollOuts:
    def publish(adapter: Path) -> Manifest:
        return Store(tmp_path / "store").publish("chat", adapter, base=read_base(SHIPPED), template="ultrafeedback")

    endpoint = Endpoint("http://server.test/v1", at_once=4, transport=httpx2.MockTransport(server))
    return ServerRollOuts(tokenizer, endpoint, publish)


def short(count: int) -> list[Messages]:
    return [[{"role": "user", "content": f"Say {number}."}] for number in range(count)]


def test_the_context_is_that_of_the_base(rollouts: ServerRollOuts, server: Server) -> None:
    assert rollouts.context == 64
    with pytest.raises(PromptError, match="prompt 1"):
        rollouts.sample([*short(1), [{"role": "user", "content": "abc " * 40}]], samples=1, sampling=PLAIN, seed=0)
    with pytest.raises(PromptError, match="prompt 0"):
        rollouts.read([[5] * 64], CHOICE)
    assert not server.asked


def test_samples_come_back_in_order_with_their_tokens(rollouts: ServerRollOuts, server: Server) -> None:
    conversations = short(9)
    found = rollouts.sample(conversations, samples=2, sampling=PLAIN, seed=3)
    assert [[one.token_ids[1] for one in pair] for pair in found] == [[20 + seed_of(3, n) % 97] * 2 for n in range(9)]
    assert [(first.token_ids[0], second.token_ids[0]) for first, second in found] == [(20, 21)] * 9
    assert all(first.finished and not second.finished for first, second in found)
    assert all(len(first.token_ids) == 3 and len(second.text) > 0 for first, second in found)
    asked = sorted(body.pop("prompt") for body in server.asked)
    assert asked == sorted(encode_prompts(rollouts.chat, conversations))
    del server.asked[0]["seed"], server.asked[0]["stop_token_ids"]
    assert server.asked[0] == {
        "model": "base",
        "n": 2,
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "max_tokens": 12,
        "return_token_ids": True,
    }


def test_greedy_samples_are_drawn_once(rollouts: ServerRollOuts, server: Server) -> None:
    [[one, two, three]] = rollouts.sample(short(1), samples=3, sampling=PLAIN._replace(temperature=0), seed=0)
    assert one == two == three
    assert [body["n"] for body in server.asked] == [1]


def test_readings_come_back_in_order_over_requests(rollouts: ServerRollOuts, server: Server) -> None:
    lengths = [1 + number % 7 for number in range(2 * READS + 1)]
    readings = rollouts.read([[5] * length for length in lengths], CHOICE)
    assert readings == [Reading(-float(length), -100.0) for length in lengths]
    assert sorted(len(body["prompt"]) for body in server.asked) == [1, READS, READS]
    assert {body["model"] for body in server.asked} == {"base"}


def test_an_adapter_is_published_activated_and_sampled_from_by_its_version(
    rollouts: ServerRollOuts, server: Server, make_adapter: Callable[[int], Path]
) -> None:
    rollouts.use_adapter(make_adapter(1))
    [version] = server.activated
    rollouts.sample(short(1), samples=1, sampling=PLAIN, seed=0)
    rollouts.read([[5]], CHOICE)
    assert [body["model"] for body in server.asked] == [f"chat@{version}", "base"]


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("model", "other", "base was asked, but other answered"),
        ("choices", [], "answered 0 choices where 1 were asked for"),
        ("choices", [{"index": 1, "token_ids": [5], "logprobs": None}], "answered 1 choices"),
        ("choices", [{"index": 0, "token_ids": None, "logprobs": None}], "with token ids"),
        ("choices", [{"index": 0, "token_ids": [5], "logprobs": None}], r"not of token_id:40 and token_id:41"),
    ],
)
def test_another_answer_is_an_error(
    rollouts: ServerRollOuts,
    server: Server,
    part: str,
    value: object,
    said: str,
) -> None:
    server.spoil = lambda answer: answer.update({part: value})
    with pytest.raises(EndpointError, match=said):
        rollouts.read([[5]], CHOICE)


def test_a_judge_that_says_nan_is_an_error(rollouts: ServerRollOuts, server: Server) -> None:
    logprobs = {"top_logprobs": [{"token_id:40": float("nan"), "token_id:41": -1.0}]}
    server.spoil = lambda answer: answer.update(choices=[{"index": 0, "token_ids": [5], "logprobs": logprobs}])
    with pytest.raises(ReadingError):
        rollouts.read([[5]], CHOICE)


def test_a_server_without_a_base_model_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    nothing = httpx2.MockTransport(lambda request: httpx2.Response(200, json={"data": []}))
    endpoint = Endpoint("http://server.test/v1", transport=nothing)
    with pytest.raises(EndpointError, match="lists no base model"):
        ServerRollOuts(tokenizer, endpoint, lambda path: pytest.fail("published"))
