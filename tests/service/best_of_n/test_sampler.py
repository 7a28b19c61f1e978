"""Samples through a scripted chat handler."""

from http import HTTPStatus

import pytest
from pydantic import ValidationError
from selfjudge_service.best_of_n.sampler import SampleError, Sampler
from selfjudge_service.best_of_n.seeds import candidate_seed
from selfjudge_service.protocol.requests import ChatRequest, ChatTurn
from vllm.entrypoints.generate.base.protocol import FunctionCall, ToolCall
from vllm.entrypoints.serve import create_error_response
from vllm.exceptions import GenerationError, RetryableRequestError, VLLMNotFoundError, VLLMValidationError
from vllm.v1.engine.exceptions import EngineDeadError

from tests.service.fakes import QUESTION, ScriptedChat, completion


def request(**fields: object) -> ChatRequest:
    return ChatRequest.model_validate({"messages": QUESTION, "best_of_n": 4, **fields})


async def test_a_sample_is_vllms_answer_and_the_text_a_caller_sees() -> None:
    sampled = await Sampler(ScriptedChat(["answer 5"])).sample(request(), 0, "id")
    assert sampled.text == "answer 5"
    assert sampled.response.usage.completion_tokens == 4


async def test_tool_calls_are_judged_as_the_caller_sees_them_and_reasoning_is_not() -> None:
    call = ToolCall(function=FunctionCall(name="add", arguments='{"a": 1}'))
    chat = ScriptedChat([completion(None, tool_calls=[call], reasoning="I think")])
    sampled = await Sampler(chat).sample(request(), 0, "id")
    assert sampled.text == 'Tool call: add {"a": 1}'


async def test_each_candidate_is_a_request_of_its_own() -> None:
    chat = ScriptedChat()
    original = request(n=3, stream=True, stream_options={"include_usage": True}, seed=7, temperature=0.5, tools=None)
    for index in range(3):
        await Sampler(chat).sample(original, index, "id")
    assert [one.request_id for one in chat.requests] == ["id-0", "id-1", "id-2"]
    assert [one.seed for one in chat.requests] == [candidate_seed(7, index) for index in range(3)]
    for one in chat.requests:
        assert (one.n, one.stream, one.stream_options, one.temperature) == (1, False, None, 0.5)
        assert one.messages == original.messages
        assert one.messages is not original.messages
    assert (original.n, original.stream, original.seed) == (3, True, 7)


async def test_what_pydantic_finds_later_is_told_without_its_words() -> None:
    with pytest.raises(ValidationError) as found:
        ChatTurn.model_validate({"role": "king", "content": "p"})
    with pytest.raises(SampleError) as sampling:
        await Sampler(ScriptedChat([found.value])).sample(request(), 0, "id")
    with pytest.raises(SampleError) as checking:
        await Sampler(ScriptedChat(refusal=found.value)).check(request())
    for refused in (sampling.value, checking.value):
        assert refused.status == HTTPStatus.BAD_REQUEST
        assert "Input should be 'system'" in str(refused)
        assert "pydantic" not in str(refused)
        assert "ChatTurn" not in str(refused)


@pytest.mark.parametrize("seed", [None, -1])
async def test_without_a_seed_none_is_made_up(seed: int | None) -> None:
    chat = ScriptedChat()
    await Sampler(chat).sample(request(seed=seed), 1, "id")
    assert chat.requests[0].seed is None


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (create_error_response("too long", "BadRequestError", HTTPStatus.BAD_REQUEST, "messages"), 400),
        (VLLMValidationError("bad", parameter="top_k"), 400),
        (VLLMNotFoundError("no such model"), 404),
        (EngineDeadError(), 500),
        (ValueError("bad value"), 400),
        (TypeError("text input must be a string"), 400),
    ],
)
async def test_what_vllm_says_of_a_failure_is_passed_on(outcome: object, status: int) -> None:
    chat = ScriptedChat([outcome])  # type: ignore[list-item]  # parametrize knows no better
    with pytest.raises(SampleError) as caught:
        await Sampler(chat).sample(request(), 0, "id")
    assert caught.value.status == status
    assert caught.value.body()["error"]["code"] == status


_SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "#"}}}
_TOOL = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("fields", "error", "status", "param"),
    [
        ({"response_format": _SCHEMA}, GenerationError(), 400, "response_format"),
        ({"structured_outputs": {"regex": "a"}}, GenerationError(), 400, "structured_outputs"),
        ({"tools": [_TOOL], "tool_choice": "required"}, GenerationError(), 400, "tools"),
        ({}, GenerationError(), 500, None),
        ({"response_format": {"type": "text"}}, GenerationError(), 500, None),
        ({"response_format": _SCHEMA}, RetryableRequestError(), 503, None),
    ],
)
async def test_a_constraint_that_allows_nothing_is_the_callers(
    fields: dict[str, object], error: GenerationError, status: int, param: str | None
) -> None:
    with pytest.raises(SampleError) as caught:
        await Sampler(ScriptedChat([error])).sample(request(**fields), 0, "id")
    assert (caught.value.status, caught.value.param) == (status, param)


async def test_an_error_of_ours_is_no_failed_sample() -> None:
    with pytest.raises(KeyError):
        await Sampler(ScriptedChat([KeyError("a bug")])).sample(request(), 0, "id")


async def test_a_request_is_checked_without_sampling() -> None:
    chat = ScriptedChat()
    await Sampler(chat).check(request())
    assert chat.requests == []


@pytest.mark.parametrize(
    "refusal",
    [
        create_error_response("too long", "BadRequestError", HTTPStatus.BAD_REQUEST, "messages"),
        VLLMValidationError("too long", parameter="messages"),
        ValueError("too long"),
        TypeError("too long"),
    ],
)
async def test_what_rendering_refuses_is_found_by_the_check(refusal: object) -> None:
    chat = ScriptedChat(refusal=refusal)  # type: ignore[arg-type]  # parametrize knows no better
    with pytest.raises(SampleError, match="too long") as caught:
        await Sampler(chat).check(request())
    assert caught.value.status == 400


async def test_an_unknown_model_is_not_found() -> None:
    with pytest.raises(SampleError) as caught:
        await Sampler(ScriptedChat()).check(request(model="nope"))
    assert (caught.value.status, caught.value.param) == (404, "model")
