"""What callers may send."""

from typing import Any

import pytest
from pydantic import ValidationError
from selfjudge_service.protocol.errors import InvalidFieldError
from selfjudge_service.protocol.requests import (
    ChatRequest,
    SelfRejection,
)

PAIR = {"prompt": "p", "response_a": "a", "response_b": "b"}
TURNS = [{"role": "user", "content": "hi"}]


def test_a_chat_request_is_vllms_with_two_fields_more() -> None:
    request = ChatRequest.model_validate(
        {"messages": TURNS, "temperature": 0.5, "best_of_n": 4, "self_rejection": {"seed": 1}, "top_k": 5}
    )
    assert (request.best_of_n, request.temperature, request.top_k) == (4, 0.5, 5)
    assert request.self_rejection == SelfRejection(seed=1)


@pytest.mark.parametrize("messages", [None, "hello", 1, {"role": "user"}])
def test_messages_that_are_no_list_are_named(messages: object) -> None:
    with pytest.raises(InvalidFieldError, match="messages: must be a list"):
        ChatRequest.model_validate({"messages": messages})


@pytest.mark.parametrize(
    "content",
    [[], [{"type": "refusal", "refusal": "no"}], [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]],
)
def test_the_parts_of_a_message_can_be_read_twice(content: list[Any]) -> None:
    (message,) = ChatRequest.model_validate({"messages": [{"role": "user", "content": content}]}).messages
    assert [list(dict(message)["content"]) for _ in "ab"] == [content, content]


@pytest.mark.parametrize("part", [7, {"type": "text", "text": 7}, {"type": "output_text", "text": "a"}])
def test_a_part_that_vllm_does_not_know_is_named(part: object) -> None:
    with pytest.raises(InvalidFieldError, match=r"^messages\.1\.content\.0: must be a content part") as caught:
        ChatRequest.model_validate({"messages": [*TURNS, {"role": "user", "content": [part]}]})
    assert caught.value.param == "messages.1.content.0"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("top_k", 2**64),
        ("stop", "\ud800"),
        ("bad_words", ["fine", "\udfff"]),
        ("session_id", "\ud800"),
        ("vllm_xargs", {"\ud800": 1}),
        ("kv_transfer_params", {"a": [{"b": -(2**63) - 1}]}),
        ("best_of_n", 10**400),
    ],
)
def test_what_the_engine_cannot_be_sent_is_named(field: str, value: object) -> None:
    with pytest.raises(InvalidFieldError, match=f"{field}: must hold no") as caught:
        ChatRequest.model_validate({"messages": TURNS, field: value})
    assert caught.value.param == field


def test_what_becomes_the_prompt_may_be_any_text() -> None:
    turns = [{"role": "user", "content": "\ud800 \U0001f600"}]
    assert ChatRequest.model_validate({"messages": turns, "stop": "\U0001f600", "top_k": 2**40}).messages


@pytest.mark.parametrize(
    "options",
    [
        {"seed": -1},
        {"seed": 2**63},
        {"seed": True},
        {"seed": "1"},
        {"deadline_ms": 0},
        {"deadline_ms": 1.5},
        {"deadline_ms": True},
        {"include": ["everything"]},
        {"include": "bracket"},
        {"judge": "jury"},
        {"principles": []},
        {"principles": [1]},
        {"principles": ["x"] * 17},
        {"template": 1},
        {"tempalte": "ultrafeedback"},
    ],
)
def test_options_of_a_tournament_are_checked_and_typos_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        SelfRejection.model_validate(options)
