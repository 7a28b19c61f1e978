"""Validation errors in the caller's words."""

from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from selfjudge_service.protocol.requests import ChatRequest, JudgeRequest
from selfjudge_service.protocol.validation import first_problem


def told(model: type[BaseModel], body: Any) -> tuple[str | None, str]:  # noqa: ANN401  any JSON
    """Field and message that a body is refused with."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    problems = [{**problem, "loc": ("body", *problem["loc"])} for problem in caught.value.errors()]
    error = first_problem(RequestValidationError(problems, body=body))
    return error.param, error.message


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"best_of_n": "4"}, "best_of_n", "valid integer, got '4'"),
        ({"temperature": "hot"}, "temperature", "got 'hot'"),
        ({"self_rejection": {"seed": -1}}, "self_rejection.seed", "got -1"),
        ({"self_rejection": {"include": ["bracket", "all"]}}, "self_rejection.include.1", "got 'all'"),
        ({"self_rejection": {"typo": 1}}, "self_rejection.typo", "not permitted"),
        ({"stop": {"a": 1}}, "stop", "got {'a': 1}"),
        ({"messages": [5]}, "messages.0", "got 5"),
    ],
)
def test_a_field_is_named_as_the_caller_wrote_it(change: dict[str, Any], field: str, said: str) -> None:
    param, message = told(ChatRequest, {"messages": [{"role": "user", "content": "hi"}], **change})
    assert param == field
    assert message.startswith(f"{field}: ")
    assert said in message


def test_of_a_union_the_alternative_that_came_closest_is_told() -> None:
    param, message = told(ChatRequest, {"messages": [{"role": "user", "content": 5}]})
    assert (param, message) == ("messages.0.content", "messages.0.content: Input should be a valid string, got 5")


def test_a_missing_field_is_named_without_an_echo_of_the_rest() -> None:
    assert told(ChatRequest, {}) == ("messages", "messages: Field required")
    param, message = told(JudgeRequest, {"comparisons": [{"prompt": "secret", "response_a": "a"}]})
    assert (param, message) == ("comparisons.0.response_b", "comparisons.0.response_b: Field required")


def test_what_is_wrong_with_the_whole_is_said_of_the_body() -> None:
    assert told(JudgeRequest, {"prompt": "p"})[0] == "body"
    assert told(JudgeRequest, [])[0] == "body"


def test_a_problem_that_is_a_sentence_is_passed_on() -> None:
    assert first_problem(RequestValidationError(["only JSON is allowed"])).message == "only JSON is allowed"


def test_no_problem_at_all_is_still_an_error() -> None:
    assert first_problem(RequestValidationError([])).message
