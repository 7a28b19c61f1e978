"""Rankings over HTTP, on a state made of fakes."""

import json
from typing import Any

import httpx
import pytest

from tests.service.conftest import Counter
from tests.service.fakes import QualityReader, World, make_world

BODY = {"prompt": "Say a number.", "candidates": [f"answer {number}" for number in (3, 9, 1, 7, 5)], "seed": 1}


async def post(world: World, body: Any) -> httpx.Response:  # noqa: ANN401  any JSON
    async with world.client() as client:
        return await client.post("/v1/rank", content=json.dumps(body), headers={"content-type": "application/json"})


async def test_candidates_are_ranked(counted: Counter) -> None:
    answer = (await post(make_world(), BODY)).json()
    assert (answer["object"], answer["model"], answer["seed"]) == ("ranking", "tiny", 1)
    assert answer["ranking"] == [1, 3, 4, 0, 2]
    assert answer["usage"]["judge_reads"] == 2 * len(answer["bracket"])
    assert counted("selfjudge_requests_total", route="/v1/rank", outcome="ok") == 1
    assert counted("selfjudge_sampling_seconds_count") == counted("selfjudge_candidates_total") == 0


async def test_an_unfit_judge_is_told() -> None:
    fit = await post(make_world(reader=QualityReader(label_mass=0.9)), BODY)
    assert (fit.json()["warnings"], fit.headers.get("X-Selfjudge-Warning")) == ([], None)
    biased = await post(make_world(reader=QualityReader(favours_a=True, label_mass=0.3)), BODY)
    assert biased.json()["label_mass"] == pytest.approx(0.3)
    assert biased.json()["position_consistency"] == 0
    assert len(biased.json()["warnings"]) == 2
    assert biased.headers["X-Selfjudge-Warning"] == "; ".join(biased.json()["warnings"])


async def test_a_comparison_that_cannot_be_read_fails_alone() -> None:
    candidates = [*BODY["candidates"], "poison 2"]  # type: ignore[misc]  # a list, as everything is in a body
    answer = (await post(make_world(reader=QualityReader(poison="poison")), BODY | {"candidates": candidates})).json()
    assert [place for place in answer["ranking"] if place != 5] == [1, 3, 4, 0, 2]
    assert "gave no verdict" in answer["warnings"][0]
    assert "unreadable" in {record["reason"] for record in answer["bracket"]}


async def test_fewer_ranks_need_fewer_judgments() -> None:
    whole, first = [(await post(make_world(), BODY | {"top_n": top})).json() for top in (None, 1)]
    assert first["ranking"] == [1]
    assert len(first["bracket"]) == 4
    assert first["usage"]["judge_reads"] < whole["usage"]["judge_reads"]


async def test_the_seed_fixes_the_bracket_and_is_reported_where_drawn() -> None:
    unseeded = (await post(make_world(), {**BODY, "seed": None})).json()
    again = (await post(make_world(), {**BODY, "seed": unseeded["seed"]})).json()
    assert again["bracket"] == unseeded["bracket"]


async def test_identical_candidates_are_not_judged() -> None:
    answer = (await post(make_world(), BODY | {"candidates": ["the same"] * 4})).json()
    assert answer["usage"]["judge_reads"] == 0
    assert sorted(answer["ranking"]) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"candidates": ["a"]}, 400, "candidates"),
        ({"candidates": [str(number) for number in range(65)]}, 400, "candidates"),
        ({"candidates": "ab"}, 400, "candidates"),
        ({"candidates": ["a", 1]}, 400, "candidates.1"),
        ({"top_n": 0}, 400, "top_n"),
        ({"top_n": 6}, 400, "top_n"),
        ({"top_n": True}, 400, "top_n"),
        ({"seed": -1}, 400, "seed"),
        ({"seed": 2**63}, 400, "seed"),
        ({"prompt": None}, 400, "body"),
        ({"messages": [{"role": "user", "content": "x"}]}, 400, "body"),
        ({"prompt": None, "messages": [{"role": "system", "content": ""}]}, 400, "messages"),
        ({"prompt": None, "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "messages"),
        ({"principles": ["nope"]}, 400, "principles"),
        ({"template": "nope"}, 400, "template"),
        ({"model": "nope"}, 404, "model"),
        ({"include": []}, 400, "include"),
    ],
)
async def test_bad_input_is_refused_by_name_and_nothing_is_read(
    change: dict[str, Any], status: int, param: str, counted: Counter
) -> None:
    world = make_world()
    answer = await post(world, {**BODY, **change})
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert world.reader.prompts == []
    assert counted("selfjudge_requests_total", route="/v1/rank", outcome="client_error") == 1


async def test_the_limit_is_the_operators() -> None:
    answer = await post(make_world(max_best_of_n=4), BODY)
    assert answer.json()["error"]["message"] == "candidates: must hold 2 to 4, got 5"
