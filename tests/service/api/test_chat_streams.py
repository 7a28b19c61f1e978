"""Chat completions as streams and under way: pieces, progress, errors, and clients that leave."""

import asyncio
import json
import math
from typing import Any

import pytest
from vllm.entrypoints.openai.chat_completion.protocol import (
    ChatCompletionLogProbs,
    ChatCompletionLogProbsContent,
)
from vllm.exceptions import VLLMValidationError
from vllm.v1.engine.exceptions import EngineDeadError

from tests.service.api.test_chat_route import BODY, PATH, events, post
from tests.service.clients import hang_up
from tests.service.conftest import Counter
from tests.service.fakes import ADAPTER, PROMPT_TOKENS, QualityReader, ScriptedChat, completion, make_world, settle


async def test_the_stream_is_the_whole_answer_in_pieces() -> None:
    body = BODY | {"stream": True, "stream_options": {"include_usage": True}, "self_rejection": {"seed": 1}}
    answer = await post(make_world(), body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith(": sampling 4 candidates\n\n")
    chunks = events(answer.text)
    content = "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])
    assert content == "answer 4"
    assert chunks[-2]["self_rejection"]["seed"] == 1
    assert chunks[-1]["usage"]["completion_tokens"] == 16


@pytest.mark.parametrize("model", [{}, {"model": ADAPTER.lora_name}])
async def test_progress_is_streamed_only_where_asked_for(model: dict[str, str]) -> None:
    silent = events((await post(make_world(), BODY | {"stream": True})).text)
    assert all(chunk["choices"] for chunk in silent)
    body = BODY | model | {"stream": True, "self_rejection": {"include": ["progress"]}}
    chunks = events((await post(make_world(), body)).text)
    assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in chunks}) == 1
    steps = [chunk for chunk in chunks if not chunk["choices"]]
    assert steps[-1]["self_rejection"]["progress"] == {"candidates": 4, "matches": 3, "best_of_n": 4}


async def test_silence_is_filled_with_comments() -> None:
    async def slowly(_: int) -> None:
        await asyncio.sleep(0.2)

    world = make_world(ScriptedChat(before=slowly), heartbeat_seconds=0.02)
    answer = await post(world, BODY | {"stream": True})
    assert answer.text.count(": keep-alive\n\n") >= 3
    assert events(answer.text)[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("outcome", "code", "counted_as"),
    [(VLLMValidationError("refused"), 400, "client_error"), (EngineDeadError(), 500, "server_error")],
)
async def test_an_error_in_a_stream_is_told_in_the_stream(
    outcome: Exception, code: int, counted_as: str, counted: Counter
) -> None:
    answer = await post(make_world(ScriptedChat([outcome])), BODY | {"stream": True})
    assert events(answer.text)[-1]["error"]["code"] == code
    assert counted("selfjudge_requests_total", outcome=counted_as) == 1
    assert counted("selfjudge_requests_total") == 1


async def test_a_judge_that_dies_in_a_stream_is_told_in_the_stream() -> None:
    async def die() -> None:
        raise EngineDeadError

    answer = await post(make_world(reader=QualityReader(before=die)), BODY | {"stream": True})
    assert events(answer.text)[-1]["error"]["code"] == 500


async def test_an_unforeseen_error_in_a_stream_is_told_in_the_stream(
    counted: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise RuntimeError("a bug of ours")

    answer = await post(make_world(reader=QualityReader(before=fail)), BODY | {"stream": True})
    error = events(answer.text)[-1]["error"]
    assert error["code"] == 500
    assert answer.headers["X-Request-Id"] in error["message"]
    assert "a bug of ours" not in answer.text
    assert "a bug of ours" in caplog.text
    assert counted("selfjudge_requests_total", outcome="server_error") == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_who_hangs_up_frees_the_work(stream: bool, counted: Counter) -> None:
    working, ended = asyncio.Event(), 0

    async def hang(call: int) -> None:
        nonlocal ended
        if call == 3:
            working.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1

    world = make_world(ScriptedChat(before=hang))
    await hang_up(world.app(), PATH, json.dumps(BODY | {"stream": stream}).encode(), working.wait())
    await settle()
    assert ended == 4
    assert counted("selfjudge_candidates_total", outcome="cancelled") == counted("selfjudge_candidates_total") == 4
    assert counted("selfjudge_requests_total", outcome="cancelled") == 1
    assert counted("selfjudge_requests_total") == 1


async def test_usage_can_be_forced_into_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    monkeypatch.setattr(world.app().state.args, "enable_force_include_usage", True)
    answer = await post(world, BODY | {"stream": True})
    chunks = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["prompt_tokens"]) == ([], PROMPT_TOKENS)


@pytest.mark.parametrize("hangs_up", [False, True])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", BODY),
        ("/v1/chat/completions", BODY | {"stream": True}),
        ("/judge", {"prompt": "p", "response_a": "word 1", "response_b": "word 2"}),
        ("/v1/rank", {"prompt": "p", "candidates": ["word 1", "word 2"]}),
    ],
)
async def test_vllms_count_of_requests_holds_tournaments_and_judgments(
    path: str, body: dict[str, Any], hangs_up: bool
) -> None:
    judging, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        judging.set()
        await go_on.wait()

    world = make_world(reader=QualityReader(before=wait))
    state = world.app().state
    state.enable_server_load_tracking, state.server_load_metrics = True, 0
    async with world.client() as client:
        asking: asyncio.Future[object] = asyncio.ensure_future(
            hang_up(world.app(), path, json.dumps(body).encode(), judging.wait())
            if hangs_up
            else client.post(path, json=body)
        )
        await judging.wait()
        assert state.server_load_metrics == 1
        go_on.set()
        await asking
    state.enable_server_load_tracking = False
    assert state.server_load_metrics == 0


@pytest.mark.parametrize("best_of_n", [2, 4])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_answers_with_nan_has_failed(best_of_n: int, stream: bool) -> None:
    world = make_world(reader=QualityReader(poison="answer"))
    answer = await post(world, BODY | {"best_of_n": best_of_n, "stream": stream})
    error = events(answer.text)[-1]["error"] if stream else answer.json()["error"]
    assert (error["code"], "NaN" in error["message"]) == (500, True)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("best_of_n", "stream"), [(1, False), (4, False), (4, True)])
async def test_no_answer_holds_a_number_that_json_has_not(
    number: float, best_of_n: int, stream: bool, counted: Counter
) -> None:
    """Log-probabilities are NaN where weights are; Starlette's encoder refuses them by a ValueError."""
    odd = completion("answer 4")
    odd.choices[0].logprobs = ChatCompletionLogProbs(content=[ChatCompletionLogProbsContent(token="a", logprob=number)])
    answer = await post(make_world(ScriptedChat([odd])), {**BODY, "best_of_n": best_of_n, "stream": stream})
    (told,) = events(answer.text) if stream else [answer.json()]
    assert answer.status_code == (200 if stream else 500)
    assert (told["error"]["code"], "NaN" in told["error"]["message"]) == (500, True)
    assert counted("selfjudge_requests_total", outcome="server_error") == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("there", range(5))
async def test_a_deadline_answers_with_the_best_of_those_that_are_there(
    there: int, stream: bool, counted: Counter
) -> None:
    """VLLM's handler takes the cancellation of the others for clients that hang up, and returns an error for each."""
    matches = 0

    async def hang(call: int) -> None:
        if call >= there:
            await asyncio.Event().wait()

    async def hang_in_the_final() -> None:
        nonlocal matches
        matches += 1
        if matches == 3:
            await asyncio.Event().wait()

    world = make_world(ScriptedChat(before=hang), QualityReader(before=hang_in_the_final))
    body = BODY | {"stream": stream, "self_rejection": {"deadline_ms": 100, "include": ["bracket"]}}
    answer = await post(world, body)
    told = events(answer.text)[-1] if stream else answer.json()
    if there:
        assert told["self_rejection"]["deadline_reached"]
        assert told["self_rejection"]["candidates_finished"] == there
        assert told["self_rejection"]["candidates_failed"] == []
    else:
        assert (answer.status_code, told["error"]["code"]) == (200 if stream else 408, 408)
    assert counted("selfjudge_candidates_total", outcome="ok") == there
    assert counted("selfjudge_candidates_total", outcome="cancelled") == 4 - there
    assert counted("selfjudge_candidates_total") == 4
    assert counted("selfjudge_deadlines_total") == 1
    assert counted("selfjudge_winner_margin_count") == 0, "no final was held"
