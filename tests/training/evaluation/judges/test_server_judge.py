"""What is asked of a selfjudge server, and what is read from its answer (docs/api.md)."""

import json
from typing import Any

import httpx2
import pytest
from selfjudge_training.evaluation.judges import BATCH, server_judge
from selfjudge_training.run.endpoint import EndpointError

from selfjudge import Comparison
from tests.training.evaluation.fakes import endpoint


class Server:
    """Prefers the longer response, as docs/api.md says it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == "/v1/judge"
        body = json.loads(request.content)
        self.bodies.append(body)
        data: list[dict[str, Any]] = []
        for one in body["comparisons"]:
            longer = len(one["response_a"]) > len(one["response_b"])
            data.append(
                {
                    "winner": "A" if longer else "B",
                    "probability_a": 0.75 if longer else 0.25,
                    "orders": {"first_at_a": 0.8 if longer else 0.3, "first_at_b": 0.7 if longer else 0.2},
                    "consistent": True,
                    "label_mass": 0.5,
                    "win_rate": float(longer),
                    "principles": [],
                    "truncated": {"context": {"kept": 1, "total": 2}} if one["response_b"] == "cut" else None,
                }
            )
        return httpx2.Response(200, json={"object": "list", "data": data, "usage": {}})


MESSAGES = [{"role": "user", "content": "Hi"}]


def test_judgments_come_back_in_order_over_batches() -> None:
    server = Server()
    comparisons = [Comparison("Hi", "x" * (number % 3), "xx"[: (number + 1) % 3]) for number in range(2 * BATCH + 1)]
    judgments = server_judge(endpoint(server), "ultrafeedback")(comparisons)
    assert [one.winner for one in judgments] == ["A" if len(c.first) > len(c.second) else "B" for c in comparisons]
    assert sorted(len(body["comparisons"]) for body in server.bodies) == [1, BATCH, BATCH]


def test_the_parts_of_a_judgment() -> None:
    [one] = server_judge(endpoint(Server()), "ultrafeedback")([Comparison("Hi", "long", "cut")])
    assert one == ("A", 0.75, (0.8, 0.7), True, 0.5, True)


def test_a_comparison_that_the_server_could_not_judge_is_told() -> None:
    answer = httpx2.Response(200, json={"data": [{"error": {"message": "the judge's log-probabilities are NaN"}}]})
    judge = server_judge(endpoint(lambda _: answer), "ultrafeedback")
    with pytest.raises(EndpointError, match=r"could not judge a comparison: .*are NaN"):
        judge([Comparison("Hi", "a", "b")])


def test_what_is_asked() -> None:
    server = Server()
    panel = server_judge(endpoint(server), "ultrafeedback-principle", "adapter-1")
    panel([Comparison(MESSAGES, "a", "b"), Comparison("Hi", "a", "b")], "honesty")
    assert server.bodies == [
        {
            "template": "ultrafeedback-principle",
            "model": "adapter-1",
            "principles": ["honesty"],
            "comparisons": [
                {"messages": MESSAGES, "response_a": "a", "response_b": "b"},
                {"prompt": "Hi", "response_a": "a", "response_b": "b"},
            ],
        }
    ]


@pytest.mark.parametrize(("template", "asked"), [("ultrafeedback", False), ("an-operators-own", True)])
def test_a_template_without_principles_judges_on_the_whole(template: str, asked: bool) -> None:
    server = Server()
    server_judge(endpoint(server), template)([Comparison("Hi", "a", "b")], "honesty")
    assert ("principles" in server.bodies[0]) == asked


@pytest.mark.parametrize("answer", [{"data": []}, {"data": [{"winner": "C"}]}, {"error": "no"}])
def test_another_answer_is_an_error(answer: dict[str, Any]) -> None:
    judge = server_judge(endpoint(lambda request: httpx2.Response(200, json=answer)), "ultrafeedback")
    with pytest.raises(EndpointError, match="/judge"):
        judge([Comparison("Hi", "a", "b")])
