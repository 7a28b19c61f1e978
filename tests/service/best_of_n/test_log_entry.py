"""What a line says of a tournament, by way of the routes over fakes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from selfjudge_service.observability.tournament_log import BracketLog, Parts
from vllm.entrypoints.generate.base.protocol import FunctionCall, ToolCall
from vllm.entrypoints.serve import create_error_response

from tests.service.conftest import Counter
from tests.service.fakes import MODEL, QUESTION, Outcome, QualityReader, ScriptedChat, World, completion, make_world

CHAT: dict[str, Any] = {"messages": QUESTION, "best_of_n": 4, "self_rejection": {"seed": 3, "include": ["bracket"]}}
RANK: dict[str, Any] = {"prompt": "Say a number.", "candidates": ["answer 3", "answer 9", "answer 1"], "seed": 1}


async def post(folder: Path, world: World, path: str, body: dict[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    """The answer to a request, and the lines that it left."""
    log = BracketLog(Parts(folder, 10**6), 1.0)
    async with world._replace(state=world.state._replace(bracket_log=log)).client() as client:
        answer = await client.post(path, json=body)
    log.close()
    return answer, logged(folder)


def logged(folder: Path) -> list[dict[str, Any]]:
    texts = [part.read_text() for part in folder.glob("*.jsonl")]
    return [json.loads(line) for text in texts for line in text.splitlines()]


async def test_a_chat_tournament_is_logged_whole(tmp_path: Path) -> None:
    answer, [line] = await post(tmp_path, make_world(), "/v1/chat/completions", CHAT)
    report = answer.json()["self_rejection"]
    told = [{key: value for key, value in match.items() if key != "verdict"} for match in line["matches"]]
    assert told == report["bracket"]
    for match in line["matches"]:
        assert match["verdict"]["probability_a"] == match["probability_a"]
        assert match["verdict"]["orders"].keys() == {"first_at_a", "first_at_b"}
    assert datetime.now(UTC) - datetime.fromisoformat(line.pop("time")) < timedelta(minutes=1)
    del line["matches"]
    assert line == {
        "format": 1,
        "id": answer.json()["id"],
        "route": "/v1/chat/completions",
        "model": MODEL,
        "method": "tournament",
        "judge": "policy",
        "template": "ultrafeedback",
        "principles": [],
        "seed": 3,
        "conversation": QUESTION,
        "candidates": [
            {"text": f"answer {number}", "finish_reason": "stop", "tool_calls": 0} for number in (1, 2, 3, 4)
        ],
        "ranking": [3],
        "winner": 3,
        "deadline_reached": False,
    }


async def test_a_stream_is_logged_too(tmp_path: Path) -> None:
    _, [line] = await post(tmp_path, make_world(), "/v1/chat/completions", {**CHAT, "stream": True})
    assert (line["winner"], len(line["matches"])) == (3, 3)


async def test_a_ranking_is_logged_with_its_principles(tmp_path: Path) -> None:
    body = {**RANK, "principles": ["honesty", "truthfulness"], "judge": "reference"}
    answer, [line] = await post(tmp_path, make_world(), "/v1/rank", body)
    assert (line["id"], line["route"], line["judge"]) == (answer.json()["id"], "/v1/rank", "reference")
    assert line["conversation"] == [{"role": "user", "content": "Say a number."}]
    assert [candidate["text"] for candidate in line["candidates"]] == RANK["candidates"]
    assert line["ranking"] == answer.json()["ranking"] == [1, 0, 2]
    assert line["principles"] == ["honesty", "truthfulness"]
    each = [one["principle"] for one in line["matches"][0]["verdict"]["principles"]]
    assert each == ["honesty", "truthfulness"]


async def test_both_orders_show_a_judge_of_position_bias(tmp_path: Path) -> None:
    _, [line] = await post(tmp_path, make_world(reader=QualityReader(favours_a=True)), "/v1/rank", RANK)
    verdicts = [match["verdict"] for match in line["matches"]]
    assert all(
        verdict["orders"] == {"first_at_a": pytest.approx(0.9), "first_at_b": pytest.approx(0.1)}
        for verdict in verdicts
    )
    assert not any(verdict["consistent"] for verdict in verdicts)


async def test_equal_texts_failures_and_tool_calls_are_told(tmp_path: Path) -> None:
    call = ToolCall(id="1", function=FunctionCall(name="f", arguments="{}"))
    failure = create_error_response("the engine refused")
    outcomes: list[Outcome] = [completion("answer 7", tool_calls=[call]), failure, "answer 2", "answer 2"]
    _, [line] = await post(tmp_path, make_world(ScriptedChat(outcomes)), "/v1/chat/completions", CHAT)
    assert line["candidates"][0] == {
        "text": "answer 7\nTool call: f {}",
        "finish_reason": "stop",
        "tool_calls": 1,
    }
    assert line["candidates"][1] is None
    verdicts = {match["reason"]: match["verdict"] for match in line["matches"]}
    assert verdicts.keys() >= {"walkover"}
    assert all((verdict is None) == (reason not in ("judged", "repeated")) for reason, verdict in verdicts.items())


@pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", CHAT), ("/v1/rank", RANK)])
@pytest.mark.parametrize(("store", "lines"), [(False, 0), (True, 1), (None, 1)])
async def test_a_request_can_opt_out(
    tmp_path: Path, counted: Counter, path: str, body: dict[str, Any], store: bool | None, lines: int
) -> None:
    answer, found = await post(tmp_path, make_world(), path, {**body, "store": store})
    assert (answer.status_code, len(found)) == (200, lines)
    assert counted("selfjudge_brackets_total", outcome="opted_out") == 1 - lines


@pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", CHAT), ("/v1/rank", RANK)])
async def test_store_is_a_boolean(tmp_path: Path, path: str, body: dict[str, Any]) -> None:
    answer, found = await post(tmp_path, make_world(), path, {**body, "store": "no"})
    assert (answer.status_code, answer.json()["error"]["param"], found) == (400, "store", [])


@pytest.mark.parametrize("best_of_n", [1, 4])
async def test_requests_without_a_winner_of_a_tournament_leave_no_line(tmp_path: Path, best_of_n: int) -> None:
    outcome = "answer 1" if best_of_n == 1 else create_error_response("the engine refused")
    world = make_world(ScriptedChat([outcome]))
    _, found = await post(tmp_path, world, "/v1/chat/completions", {**CHAT, "best_of_n": best_of_n})
    assert found == []
